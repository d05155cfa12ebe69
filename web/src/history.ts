/** The figures behind the charts, of one pool and one range: fetched, then added to as intervals end. */

import { get, part } from "./api";
import { Store } from "./store";
import type { Metrics, Told } from "./types";

export type Column = (number | null)[];
export type Columns = Record<string, Column>;

export interface Range {
  label: string;
  seconds: number;
  /** Seconds that make one point, so that a range has a thousand or so; 0 is each interval as it was. */
  step: number;
}

const DAY = 86_400;

export const RANGES: [Range, ...Range[]] = [
  { label: "15 min", seconds: 900, step: 0 },
  { label: "1 h", seconds: 3600, step: 5 },
  { label: "24 h", seconds: DAY, step: 120 },
  { label: "7 d", seconds: 7 * DAY, step: 900 },
];

export interface History {
  pool: string;
  range: Range;
  /** Replaced as a whole. */
  columns: Columns;
  /** Seconds for which the service keeps figures. */
  kept: number;
}

export const history = new Store<History | null>(null);

let asked = 0;

/** Show this; what was shown before of the same pool stays until it is there. */
export async function fetchHistory(pool: string, range: Range): Promise<void> {
  const mine = ++asked;
  const before = history.get();
  const shown = before?.pool === pool ? before : { pool, columns: {}, kept: DAY };
  history.set({ ...shown, range });
  const query = new URLSearchParams({
    since: new Date(Date.now() - range.seconds * 1000).toISOString(),
    step: String(range.step),
  });
  try {
    const found = await get<{ columns: Columns; kept: number }>(
      `pools/${part(pool)}/metrics/history?${query}`,
    );
    if (mine === asked) history.set({ pool, range, columns: found.columns, kept: found.kept });
  } catch {
    // The charts stay as they are; the badge says that the service does not answer.
  }
}

/** What was missed while nothing was heard. */
export function fetchAgain(): void {
  const shown = history.get();
  if (shown) void fetchHistory(shown.pool, shown.range);
}

/** Add the interval that has ended. */
export function addInterval(told: Told): void {
  const shown = history.get();
  if (!shown || shown.pool !== told.pool_id) return;
  const metrics = told["metrics"] as Metrics;
  const at = Date.parse(told.at ?? metrics.timestamp) / 1000;
  const before = shown.columns["at"] ?? [];
  if (at <= (before.at(-1) ?? 0)) return; // a replay tells again what was fetched
  const calls = metrics.interval ? metrics.calls / metrics.interval : 0;
  const point: Record<string, number | null> = {
    at,
    total: metrics.total_connections,
    active: metrics.active_connections,
    target: metrics.target_connections,
    queued: metrics.queued_requests,
    longest_wait: metrics.longest_wait,
    calls,
    errors: calls * (metrics.error_rate ?? 0),
    acquisition_p50: metrics.p50_acquisition_time,
    acquisition_p95: metrics.p95_acquisition_time,
    acquisition_p99: metrics.p99_acquisition_time,
    response_p95: metrics.p95_response_time,
  };
  const first = before.findIndex((each) => (each ?? 0) > at - shown.range.seconds);
  const columns: Columns = {};
  for (const [name, value] of Object.entries(point)) {
    columns[name] = [...(shown.columns[name] ?? []).slice(Math.max(first, 0)), value];
  }
  history.set({ ...shown, columns });
}
