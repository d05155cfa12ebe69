import { useEffect } from "preact/hooks";
import { feed, fetchEarlier, summary, weight } from "../feed";
import { time, words } from "../format";
import { addressOf } from "../route";
import { useStore, whole } from "../store";

const SHOWN = 8;

/** What has happened lately that somebody should look at. */
export function Attention({ pool }: { pool: string }) {
  const latest = useStore(feed, whole)
    .filter((item) => (item.pool_id == null || item.pool_id === pool) && weight(item) !== "")
    .slice(0, SHOWN);

  useEffect(() => void fetchEarlier(pool), [pool]);

  return (
    <section class="panel">
      <div class="row">
        <h2>What needs a look</h2>
        <span class="gap" />
        <a class="more" href={addressOf("events")}>
          all events
        </a>
      </div>
      {latest.length === 0 && <p class="faint">Nothing, as far as is remembered.</p>}
      <ol class="timeline">
        {latest.map((item) => (
          <li key={item.key} data-weight={weight(item)}>
            <time dateTime={item.at}>{time(item.at)}</time>
            <span>
              <b>{words(item.type)}</b>{" "}
              <span class="whose">{String(item["connection_id"] ?? item["account_id"] ?? "")}</span>{" "}
              <span class="faint">{summary(item)}</span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
