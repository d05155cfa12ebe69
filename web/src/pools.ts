/** What is known of each pool, as the event hub tells it. */

import { Store } from "./store";
import type { Decision, Metrics, PoolStatus, Told } from "./types";

export interface Known {
  status: PoolStatus;
  metrics: Metrics | null;
  decision: Decision | null;
}

export const pools = new Store<ReadonlyMap<string, Known>>(new Map());

const KEY = "twikit-pool.pool";

/** Which pool is looked at. */
export const chosen = new Store<string | null>(sessionStorage.getItem(KEY));

export function choose(pool: string): void {
  sessionStorage.setItem(KEY, pool);
  chosen.set(pool);
}

function keepOne(known: ReadonlyMap<string, Known>): void {
  const now = chosen.get();
  if (now === null || !known.has(now)) chosen.set(known.keys().next().value ?? null);
}

function change(pool: string, changed: Partial<Known>): void {
  const known = pools.get().get(pool);
  if (known) pools.set(new Map(pools.get()).set(pool, { ...known, ...changed }));
}

/** Take in what a message says of a pool. */
export function note(told: Told): void {
  const pool = told.pool_id ?? "";
  switch (told.type) {
    case "snapshot": {
      const shown = told["pools"] as (Known & { pool_id: string })[];
      const known = new Map(shown.map((each) => [each.pool_id, each] as const));
      pools.set(known);
      keepOne(known);
      break;
    }
    case "pool_status_update": {
      const changed = told["status"] as Partial<PoolStatus>;
      const before = pools.get().get(pool);
      const status = { ...before?.status, ...changed } as PoolStatus;
      const known = new Map(pools.get());
      known.set(pool, { metrics: null, decision: null, ...before, status });
      pools.set(known);
      keepOne(known);
      break;
    }
    case "pool_removed": {
      const known = new Map(pools.get());
      known.delete(pool);
      pools.set(known);
      keepOne(known);
      break;
    }
    case "metrics_collected":
      change(pool, { metrics: told["metrics"] as Metrics });
      break;
    case "scaling_decided":
      change(pool, { decision: told as unknown as Decision });
      break;
  }
}
