import { useEffect, useState } from "preact/hooks";
import { feed, fetchEarlier, summary, weight, type Item } from "../feed";
import { count, time, words } from "../format";
import { wantConnectionEvents } from "../live";
import { useStore, whole } from "../store";
import type { ViewProps } from "../views";

const SHOWN = 300;

const KINDS: [label: string, fits: (item: Item) => boolean][] = [
  ["all", () => true],
  ["what needs a look", (item) => weight(item) !== ""],
  ["connections", (item) => item.topic === "connection_events"],
  ["scaling", (item) => item.topic === "scaling"],
  ["pool", (item) => item.topic === "pool_updates"],
  ["alerts", (item) => item.topic === "alerts"],
];

/** What happens, as it happens. */
export default function Events({ pool }: ViewProps) {
  const latest = useStore(feed, whole);
  const [held, setHeld] = useState<readonly Item[] | null>(null);
  const [kind, setKind] = useState("all");
  const [text, setText] = useState("");

  useEffect(wantConnectionEvents, []);
  useEffect(() => void fetchEarlier(pool), [pool]);

  const fits = KINDS.find(([label]) => label === kind)?.[1] ?? (() => true);
  const word = text.trim().toLowerCase();
  const shown = (held ?? latest)
    .filter((item) => (item.pool_id == null || item.pool_id === pool) && fits(item))
    .filter((item) => !word || lineOf(item).toLowerCase().includes(word));
  const seen = new Set(held?.map((item) => item.key));
  const missed = held === null ? 0 : latest.filter((item) => !seen.has(item.key)).length;

  return (
    <>
      <div class="row tools">
        <h1>Events</h1>
        <button
          type="button"
          aria-pressed={held !== null}
          data-pause
          onClick={() => setHeld(held === null ? latest : null)}
        >
          {held === null ? "Pause" : "Go on"}
        </button>
        <span class="total" role="status">
          {held === null ? "" : `paused, ${count(missed)} more since`}
        </span>
        <select aria-label="Kind" value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          {KINDS.map(([label]) => (
            <option key={label}>{label}</option>
          ))}
        </select>
        <input
          aria-label="Filter by text"
          type="search"
          data-search
          placeholder="Filter  /"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      {shown.length === 0 && (
        <p class="empty">Nothing that fits is remembered. Events come here as they happen.</p>
      )}
      <ul class="feed" tabIndex={0} aria-label="Events, the latest first" hidden={shown.length === 0}>
        {shown.slice(0, SHOWN).map((item) => (
          <li key={item.key} data-weight={weight(item)}>
            <time dateTime={item.at}>{time(item.at)}</time> <b>{words(item.type)}</b>{" "}
            <span class="whose">{String(item["connection_id"] ?? item["account_id"] ?? "")}</span>{" "}
            <span>{summary(item)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function lineOf(item: Item): string {
  return `${words(item.type)} ${String(item["connection_id"] ?? "")} ${String(item["account_id"] ?? "")} ${summary(item)}`;
}
