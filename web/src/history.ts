/** The figures behind the charts: fetched once, then added to as intervals end. */

import { get, part } from "./api";
import { Store } from "./store";
import type { Metrics, Told } from "./types";

export type Column = (number | null)[];
export type Columns = Record<string, Column>;

const FIGURES = ["at", "total", "active", "target", "calls", "errors"] as const;
const TIMES = ["acquisition_p50", "acquisition_p95", "acquisition_p99"] as const;
const DAY = 86_400;

/** By pool. Columns are replaced as a whole. */
export const history = new Store<ReadonlyMap<string, Columns>>(new Map());

const fetching = new Set<string>();

export async function fetchHistory(pool: string): Promise<void> {
  if (fetching.has(pool)) return;
  fetching.add(pool);
  try {
    const found = await get<{ columns: Columns }>(`pools/${part(pool)}/metrics/history`);
    history.set(new Map(history.get()).set(pool, found.columns));
  } catch {
    // The charts stay as they are; the badge says that the service does not answer.
  } finally {
    fetching.delete(pool);
  }
}

/** Add the interval that has ended. */
export function addInterval(told: Told): void {
  const pool = told.pool_id ?? "";
  const columns = history.get().get(pool);
  if (!columns) return;
  const metrics = told["metrics"] as Metrics;
  const at = Date.parse(told.at ?? metrics.timestamp) / 1000;
  const before = columns["at"] ?? [];
  if (at <= (before.at(-1) ?? 0)) return; // a replay tells again what was fetched
  const calls = metrics.interval ? metrics.calls / metrics.interval : 0;
  const point: Record<string, number | null> = {
    at,
    total: metrics.total_connections,
    active: metrics.active_connections,
    target: metrics.target_connections,
    calls,
    errors: calls * (metrics.error_rate ?? 0),
    acquisition_p50: metrics.p50_acquisition_time,
    acquisition_p95: metrics.p95_acquisition_time,
    acquisition_p99: metrics.p99_acquisition_time,
  };
  const first = before.findIndex((each) => (each ?? 0) > at - DAY);
  const grown: Columns = {};
  for (const name of [...FIGURES, ...TIMES]) {
    grown[name] = [...(columns[name] ?? []).slice(Math.max(first, 0)), point[name] ?? null];
  }
  history.set(new Map(history.get()).set(pool, grown));
}
