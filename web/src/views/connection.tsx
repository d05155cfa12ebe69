import { useEffect } from "preact/hooks";
import { part, post } from "../api";
import { feed, summary, weight } from "../feed";
import { bytes, count, duration, moment, percent, time, words } from "../format";
import { wantConnectionEvents } from "../live";
import { ActButton } from "../parts/act-button";
import { confirm } from "../parts/dialog";
import { Drawer } from "../parts/drawer";
import { Facts, type Fact } from "../parts/facts";
import { ProblemNote } from "../parts/problem";
import { State } from "../parts/state";
import { usePolled } from "../polled";
import { useStore, whole } from "../store";
import { PRIORITIES, type Connection } from "../types";

interface Props {
  pool: string;
  id: string;
  onClose: () => void;
  changed: () => void;
}

/** One connection: its facts, what happens to it, and what can be done. */
export function ConnectionDrawer({ pool, id, onClose, changed }: Props) {
  const path = `pools/${part(pool)}/connections/${part(id)}`;
  const { answer, problem, again } = usePolled<Connection>(path, 2);

  useEffect(wantConnectionEvents, []);

  const done = () => {
    again();
    changed();
  };

  return (
    <Drawer title={id} onClose={onClose}>
      <ProblemNote text={problem} />
      {answer && (
        <>
          <div class="row wrap">
            <ActButton needs="operate" onClick={() => askToClose(path, answer, done)}>
              Close…
            </ActButton>
            <ActButton
              needs="operate"
              cannot={answer.active ? "" : "nobody holds it"}
              onClick={() => askToRelease(path, answer, done)}
            >
              Take back…
            </ActButton>
            <ActButton needs="operate" onClick={() => askToQuarantine(pool, answer.account_id, done)}>
              Quarantine account…
            </ActButton>
          </div>
          <Facts facts={factsOf(answer)} />
        </>
      )}
      <Happened id={id} />
    </Drawer>
  );
}

function factsOf(each: Connection): Fact[] {
  return [
    ["State", <State name={each.state} />],
    ["Account", each.account_id],
    ["Health", `${percent(each.health)}${each.healthy ? "" : ", something speaks against it"}`],
    ["Borrower", each.borrower ?? "nobody"],
    ["Priority", each.priority === null ? "–" : (PRIORITIES[each.priority - 1] ?? "–")],
    ["Reserved for", each.reserved_for ?? "nobody"],
    ["Latency p50, p95", `${duration(each.p50_response_time)}, ${duration(each.p95_response_time)}`],
    ["Calls that go well", percent(each.success_rate)],
    ["Errors", count(each.error_count)],
    ["Leases", `${count(each.usage_count)}, ${duration(each.total_usage_time)} in all`],
    ["Idle for", duration(each.idle_time || null)],
    ["Opened", moment(each.created_at)],
    ["Last used", moment(each.last_used_at)],
    ["Client", `number ${count(each.session_generation)} of this connection`],
    ["Memory, CPU", `${bytes(each.memory)}, ${duration(each.cpu)}`],
    ["Network", bytes(each.network)],
  ];
}

/** What was told of it since the page listens. */
function Happened({ id }: { id: string }) {
  const own = useStore(feed, whole)
    .filter((each) => each["connection_id"] === id)
    .slice(0, 30);
  return (
    <section>
      <h3>Events</h3>
      {own.length === 0 && <p class="faint">None since you opened this.</p>}
      <ul class="feed small">
        {own.map((each) => (
          <li key={each.key} data-weight={weight(each)}>
            <time>{time(each.at)}</time> <b>{words(each.type)}</b> <span>{summary(each)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function askToClose(path: string, each: Connection, done: () => void): void {
  confirm({
    title: `Close ${each.connection_id}?`,
    body: each.active
      ? "It closes when its lease ends. Another is opened where it is wanted."
      : "It closes now. Another is opened where it is wanted.",
    verb: "Close",
    run: () => post(`${path}/close`).then(done),
    done: `${each.connection_id} is closed, or will be when it comes back`,
  });
}

function askToRelease(path: string, each: Connection, done: () => void): void {
  confirm({
    title: `Take ${each.connection_id} back?`,
    body: `${each.borrower ?? "Its borrower"} loses it at once: a call under way fails, and nobody knows whether X took it.`,
    verb: "Take back",
    danger: true,
    run: () => post(`${path}/release`).then(done),
    done: `${each.connection_id} was taken back`,
  });
}

/** Ask for a reason and a time, and leave an account alone. */
export function askToQuarantine(pool: string, account: string, done: () => void): void {
  confirm({
    title: `Leave ${account} alone?`,
    body: "This pool uses it no more for a while; its connections close as their leases end.",
    verb: "Quarantine",
    fields: [
      { name: "reason", label: "Reason", required: true },
      { name: "minutes", label: "Minutes", number: true, value: "30", required: true },
    ],
    run: (given) =>
      post(`pools/${part(pool)}/accounts/${part(account)}/quarantine`, {
        reason: given["reason"],
        seconds: Number(given["minutes"]) * 60,
      }).then(done),
    done: `${account} is left alone`,
  });
}
