/** The latest events, for the feed and for a connection's own. */

import { get, part } from "./api";
import { duration, words } from "./format";
import { Store } from "./store";
import { PRIORITIES, type Page, type Told } from "./types";

const MOST = 1000;
const MOST_THAT_MATTER = 200;
const EARLIER = 300;
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
    feed.set(bounded([...waiting.reverse(), ...feed.get()]));
    waiting = [];
  }, TOGETHER);
}

/** What was told of a pool before the page listened; not each lease and call, of which it hears enough. */
export async function fetchEarlier(pool: string): Promise<void> {
  let page: Page<Told>;
  try {
    page = await get<Page<Told>>(`pools/${part(pool)}/events?frequent=false&limit=${EARLIER}`);
  } catch {
    return; // the badge says that the service does not answer
  }
  const here = new Set(feed.get().map((each) => each.seq));
  const missing = page.items.filter((each) => !here.has(each.seq) && !UNTOLD.has(each.type));
  const all = [...feed.get(), ...missing.map((told) => ({ ...told, key: next++ }))];
  feed.set(bounded(all.sort((a, b) => (b.at ?? "").localeCompare(a.at ?? ""))));
}

/** The latest, and of those before them what matters: leases and calls would soon drive it out. */
function bounded(items: Item[]): Item[] {
  const old = items.slice(MOST).filter((each) => weight(each) !== "");
  return [...items.slice(0, MOST), ...old.slice(0, MOST_THAT_MATTER)];
}

const LEFT_OUT = new Set(["type", "seq", "topic", "pool_id", "at", "key", "account_id", "connection_id"]);

/** What an event says besides whose and when, in a line. */
export function summary(item: Told): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(item)) {
    if (LEFT_OUT.has(name) || value === null || value === "" || typeof value === "object") continue;
    const shown = shownAs(name, value);
    parts.push(name === "reason" ? shown : `${NAMED[name] ?? words(name)} ${shown}`);
  }
  return parts.join(" · ");
}

const NAMED: Record<string, string> = { seconds: "for", retry_in: "again in" };
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
