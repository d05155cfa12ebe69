import { useEffect, useState } from "preact/hooks";
import { part, post } from "../api";
import { bytes, count, duration, moment, percent } from "../format";
import { wantConnectionEvents } from "../live";
import { ActButton } from "../parts/act-button";
import { BudgetBar, whyShut } from "../parts/budget";
import { confirm } from "../parts/dialog";
import { Drawer } from "../parts/drawer";
import { Facts, type Fact } from "../parts/facts";
import { ProblemNote } from "../parts/problem";
import { Sparkline } from "../parts/sparkline";
import { State } from "../parts/state";
import { usePolled } from "../polled";
import { PRIORITIES, type Connection, type ConnectionDetail } from "../types";
import { askToQuarantine } from "./quarantine";
import { Timeline } from "./timeline";

/** How many are shown, the most spent first; the account's drawer has all. */
const BUDGETS = 6;

interface Props {
  pool: string;
  id: string;
  onClose: () => void;
  changed: () => void;
}

/** One connection: its facts, what happens to it, and what can be done. */
export function ConnectionDrawer({ pool, id, onClose, changed }: Props) {
  const path = `pools/${part(pool)}/connections/${part(id)}`;
  const { answer, problem, again } = usePolled<ConnectionDetail>(path, 2);
  const [asOf, setAsOf] = useState(Date.now());
  useEffect(() => setAsOf(Date.now()), [answer]);
  useEffect(wantConnectionEvents, []);

  const done = () => {
    again();
    changed();
  };

  return (
    <Drawer title={id} beside={answer && <State name={answer.state} />} onClose={onClose}>
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
          {answer.reason && <p class="callout">{answer.reason}</p>}
          <Facts facts={factsOf(answer)} />
          <section>
            <h3>Latest calls</h3>
            {answer.response_times.length === 0 ? (
              <p class="faint">It has made none yet.</p>
            ) : (
              <div class="row">
                <Sparkline times={answer.response_times} />
                <span class="faint">
                  p50 {duration(answer.p50_response_time)}, p95 {duration(answer.p95_response_time)},{" "}
                  {percent(answer.success_rate)} go well
                </span>
              </div>
            )}
          </section>
          <section>
            <h3>What its account may still send</h3>
            {answer.budgets.length === 0 && <p class="faint">Nothing is spent, and nothing is capped.</p>}
            <ul class="budgets">
              {answer.budgets.slice(0, BUDGETS).map((each) => (
                <BudgetBar
                  key={each.endpoint}
                  endpoint={each.endpoint}
                  left={each.expected}
                  limit={each.most}
                  returnsIn={each.returns_in}
                  asOf={asOf}
                  beside={whyShut(each)}
                />
              ))}
            </ul>
            {answer.budgets.length > BUDGETS && (
              <p class="faint">Of {count(answer.budgets.length - BUDGETS)} more, less is spent.</p>
            )}
          </section>
        </>
      )}
      <Timeline pool={pool} of={{ connection: id }} calls={answer?.calls ?? []} />
    </Drawer>
  );
}

function factsOf(each: Connection): Fact[] {
  const priority = each.priority === null ? "" : ` · ${PRIORITIES[each.priority - 1] ?? ""}`;
  const until = moment(each.reservation_expires_at);
  const reserved = each.reserved_for === null ? "nobody" : `${each.reserved_for} until ${until}`;
  const costs = [
    each.memory === null ? "" : `${bytes(each.memory)} of memory`,
    each.cpu === null ? "" : `${duration(each.cpu)} of CPU`,
    `${bytes(each.network)} sent and got`,
  ].filter(Boolean);
  return [
    ["Account", each.account_id],
    ["Borrower", each.borrower === null ? "nobody" : `${each.borrower}${priority}`],
    ["Reserved for", reserved],
    ["Health", `${percent(each.health)}${each.healthy ? "" : ", something speaks against it"}`],
    ["Leases", `${count(each.usage_count)}, ${duration(each.total_usage_time)} in all`],
    ["Errors", count(each.error_count)],
    ["Idle for", duration(each.idle_time || null)],
    ["Opened", `${moment(each.created_at)}, client ${count(each.session_generation)} since`],
    ["Last used", moment(each.last_used_at)],
    ["Costs", costs.join(", ")],
  ];
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
