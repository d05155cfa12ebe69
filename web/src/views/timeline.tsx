import { useEffect, useState } from "preact/hooks";
import { get, part } from "../api";
import { feed, summary, weight } from "../feed";
import { duration, time, words } from "../format";
import { useStore, whole } from "../store";
import type { Page, RecentCall, Told } from "../types";

const SHOWN = 60;
const LATEST = 100;

interface Entry {
  key: string;
  at: string;
  what: string;
  more: string;
  weight: string;
}

interface Props {
  pool: string;
  /** Of which connection, or of which account. */
  of: { connection: string } | { account: string };
  /** Calls are told only while somebody listens; these are remembered by their connection. */
  calls: readonly RecentCall[];
}

/** What happened to a connection or an account, before the page listened and since. */
export function Timeline({ pool, of, calls }: Props) {
  const before = useLatest(pool, of);
  const [name, id] = Object.entries(of)[0] as [string, string];
  const own = useStore(feed, whole).filter((each) => each[`${name}_id`] === id);
  const bySeq = new Map([...before, ...own].map((each) => [each.seq ?? 0, each]));
  const told = [...bySeq.values()].filter((each) => !callOf(each, calls));
  const entries = [...told.map(entryOf), ...calls.map(callEntry)]
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
    .slice(0, SHOWN);
  return (
    <section>
      <h3>Timeline</h3>
      {entries.length === 0 && <p class="faint">Nothing is remembered, and nothing has happened since.</p>}
      <ol class="timeline">
        {entries.map((each) => (
          <li key={each.key} data-weight={each.weight}>
            <time dateTime={each.at}>{time(each.at)}</time>
            <span>
              <b>{each.what}</b> <span class="faint">{each.more}</span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** What was told before: fetched once. */
function useLatest(pool: string, of: Props["of"]): readonly Told[] {
  const [found, setFound] = useState<readonly Told[]>([]);
  const query = new URLSearchParams({ ...of, frequent: "false", limit: String(LATEST) }).toString();
  useEffect(() => {
    let wanted = true;
    get<Page<Told>>(`pools/${part(pool)}/events?${query}`).then(
      (page) => wanted && setFound(page.items),
      () => undefined, // the facts beside it say what is wrong
    );
    return () => {
      wanted = false;
    };
  }, [pool, query]);
  return found;
}

/** Whether an event is a call that the connection itself remembers. */
const callOf = (told: Told, calls: readonly RecentCall[]) =>
  told.type === "call_finished" && calls.length > 0 && (told.at ?? "") >= (calls.at(-1)?.at ?? "");

const entryOf = (told: Told): Entry => ({
  key: `event ${told.seq ?? ""}`,
  at: told.at ?? "",
  what: words(told.type),
  more: summary(told),
  weight: weight(told),
});

const callEntry = (call: RecentCall, index: number): Entry => ({
  key: `call ${call.at} ${index}`,
  at: call.at,
  what: words(call.action),
  more: `${words(call.outcome)} in ${duration(call.seconds)}`,
  weight: call.outcome === "ok" || call.outcome === "caller_fault" ? "good" : "warn",
});
