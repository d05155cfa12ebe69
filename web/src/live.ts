/** The WebSocket: opened with a ticket, opened again with growing pauses, going on after what was heard last. */

import { post, Problem, who } from "./api";
import { addToFeed } from "./feed";
import { addInterval, fetchAgain } from "./history";
import { note } from "./pools";
import { Store } from "./store";
import type { Told } from "./types";

export interface Live {
  state: "connecting" | "live" | "reconnecting";
  /** Goes up with each connection: what was fetched before may be out of date. */
  times: number;
  /** When it is tried again, in milliseconds since 1970. */
  again: number;
}

export const live = new Store<Live>({ state: "connecting", times: 0, again: 0 });

const USUAL = ["pool_updates", "scaling", "alerts", "jobs"];
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;
/** The service tells at least a heartbeat each 15 s. */
const SILENCE = 40_000;

let socket: WebSocket | null = null;
let wanted = 0;
let since: number | undefined;
let failures = 0;
let timer: number | undefined;
let watchdog: number | undefined;
let running = false;

export function begin(): void {
  if (running) return;
  running = true;
  void connect();
}

export function end(): void {
  running = false;
  since = undefined;
  failures = 0;
  clearTimeout(timer);
  clearTimeout(watchdog);
  socket?.close();
  socket = null;
  live.set({ state: "connecting", times: live.get().times, again: 0 });
}

/** Also hear of each lease and call, until the function that is returned is called. */
export function wantConnectionEvents(): () => void {
  wanted += 1;
  if (wanted === 1) say({ op: "subscribe", topics: ["connection_events"] });
  return () => {
    wanted -= 1;
    if (wanted === 0) say({ op: "unsubscribe", topics: ["connection_events"] });
  };
}

function say(message: unknown): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

async function connect(): Promise<void> {
  let ticket: string;
  try {
    ticket = (await post<{ ticket: string }>("session/ticket")).ticket;
  } catch (problem) {
    if (problem instanceof Problem && problem.status === 401) return; // the log-in is shown
    retry();
    return;
  }
  if (!running) return;
  const address = new URL(`v1/events?ticket=${encodeURIComponent(ticket)}`, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  address.hash = "";
  const opened = new WebSocket(address);
  socket = opened;
  opened.onopen = () => {
    const topics = wanted ? [...USUAL, "connection_events"] : USUAL;
    say({ op: "subscribe", topics, ...(since === undefined ? {} : { since }) });
    watch();
  };
  opened.onmessage = (message) => {
    if (socket !== opened) return;
    watch();
    hear(JSON.parse(String(message.data)) as Told);
  };
  opened.onclose = () => {
    if (socket === opened) retry();
  };
}

function hear(told: Told): void {
  if (told.type === "subscribed") {
    if (live.get().state !== "live") {
      failures = 0;
      live.set({ state: "live", times: live.get().times + 1, again: 0 });
      fetchAgain();
    }
    return; // its number is the hub's, not of what was heard
  }
  // A gap, a loss and a snapshot tell the hub's number: messages with a lower one may still come after them.
  if (told.seq !== undefined && (told.topic !== undefined || since === undefined)) since = told.seq;
  note(told);
  if (told.type === "metrics_collected") addInterval(told);
  addToFeed(told);
}

function watch(): void {
  clearTimeout(watchdog);
  watchdog = setTimeout(() => {
    const silent = socket;
    if (silent) {
      retry();
      silent.close();
    }
  }, SILENCE);
}

function retry(): void {
  clearTimeout(watchdog);
  clearTimeout(timer);
  socket = null;
  if (!running || !who.get()) return;
  // Half of the pause is chance, so that all pages do not come at once when the service is back.
  const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures) * (0.5 + Math.random() / 2);
  failures += 1;
  live.set({ state: "reconnecting", times: live.get().times, again: Date.now() + pause });
  timer = setTimeout(() => void connect(), pause);
}

/** Try now instead of waiting: somebody looks again, or the network is back. */
function hurry(): void {
  if (running && socket === null && live.get().state === "reconnecting") {
    clearTimeout(timer);
    timer = setTimeout(() => void connect(), 0);
  }
}

addEventListener("online", hurry);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) hurry();
});
