/** The latest events, for the feed and for a connection's own. */

import { duration, words } from "./format";
import { Store } from "./store";
import { PRIORITIES, type Told } from "./types";

const MOST = 1000;
const TOGETHER = 200; // milliseconds: a busy pool tells thousands a second, and a page draws sixty

export interface Item extends Told {
  key: number;
}

/** The latest first. */
export const feed = new Store<readonly Item[]>([]);

const UNTOLD = new Set([
  "snapshot",
  "pool_status_update",
  "metrics_collected",
  "heartbeat",
  "subscribed",
  "pong",
]);

let waiting: Item[] = [];
let timer: number | undefined;
let next = 0;

export function addToFeed(told: Told): void {
  if (UNTOLD.has(told.type)) return;
  waiting.push({ ...told, key: next++ });
  if (waiting.length > MOST) waiting = waiting.slice(-MOST);
  timer ??= setTimeout(() => {
    timer = undefined;
    feed.set([...waiting.reverse(), ...feed.get()].slice(0, MOST));
    waiting = [];
  }, TOGETHER);
}

const LEFT_OUT = new Set(["type", "seq", "topic", "pool_id", "at", "key", "account_id", "connection_id"]);

/** What an event says besides whose and when, in a line. */
export function summary(item: Told): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(item)) {
    if (LEFT_OUT.has(name) || value === null || value === "" || typeof value === "object") continue;
    const shown = shownAs(name, value);
    parts.push(name === "reason" ? shown : `${words(name)} ${shown}`);
  }
  return parts.join(" · ");
}

const SECONDS = new Set(["waited", "held", "latency", "seconds", "retry_in", "seconds_open"]);

function shownAs(name: string, value: unknown): string {
  if (typeof value !== "number") return String(value);
  if (SECONDS.has(name)) return duration(value);
  if (name === "priority") return PRIORITIES[value - 1] ?? String(value);
  return String(Number(value.toPrecision(4)));
}

/** How much an event matters. */
export function weight(item: Told): "bad" | "warn" | "" {
  if (item.type === "gap" || item.type === "lost" || item.type === "events_lost") return "warn";
  if (item.topic === "alerts") return "bad";
  if (/failed|quarantined|overdue|reclaimed|timed_out|opened_circuit|circuit_opened|stale/.test(item.type))
    return "warn";
  if (item.type === "connection_checked" && item["well"] === false) return "warn";
  if (item.type === "call_finished" && item["outcome"] !== "ok") return "warn";
  return "";
}
