import { useEffect, useState } from "preact/hooks";
import { ask, part, post } from "../api";
import { count, moment } from "../format";
import { wantConnectionEvents } from "../live";
import { ActButton } from "../parts/act-button";
import { BudgetBar, whyShut } from "../parts/budget";
import { confirm } from "../parts/dialog";
import { Drawer } from "../parts/drawer";
import { Facts, type Fact } from "../parts/facts";
import { say } from "../parts/notice";
import { ProblemNote } from "../parts/problem";
import { State } from "../parts/state";
import { usePolled } from "../polled";
import type { AccountDetail } from "../types";
import { stateIn, untilOf, whyOf } from "./accounts";
import { askToQuarantine } from "./quarantine";
import { Timeline } from "./timeline";

interface Props {
  pool: string;
  id: string;
  onClose: () => void;
  changed: () => void;
}

/** One account: its state and why, what it can still do, and what can be done about it. */
export function AccountDrawer({ pool, id, onClose, changed }: Props) {
  const path = `accounts/${part(id)}`;
  const { answer, problem, again } = usePolled<AccountDetail>(path, 3);
  const [asOf, setAsOf] = useState(Date.now());
  useEffect(() => setAsOf(Date.now()), [answer]);
  useEffect(wantConnectionEvents, []);

  const done = () => {
    again();
    changed();
  };
  const here = answer?.pools.find((each) => each.pool_id === pool);
  const leftAlone = here?.state === "quarantined" && answer?.state === "active";

  return (
    <Drawer title={id} beside={answer && <State name={stateIn(answer, pool)} />} onClose={onClose}>
      <ProblemNote text={problem} />
      {answer && (
        <>
          <div class="row wrap">
            {answer.state === "active" ? (
              <ActButton needs="operate" onClick={() => askToStand(path, id, "disable", done)}>
                Switch off…
              </ActButton>
            ) : (
              <ActButton needs="operate" onClick={() => askToStand(path, id, "enable", done)}>
                Put into use…
              </ActButton>
            )}
            {leftAlone ? (
              <ActButton needs="operate" onClick={() => void endQuarantine(pool, id, done)}>
                End quarantine
              </ActButton>
            ) : (
              <ActButton needs="operate" onClick={() => askToQuarantine(pool, id, done)}>
                Quarantine…
              </ActButton>
            )}
          </div>
          {whyOf(answer, pool) && <p class="callout">{whyOf(answer, pool)}</p>}
          <Facts facts={factsOf(answer, pool).filter(([, value]) => value)} />
          <section>
            <h3>Budgets</h3>
            {answer.budgets.length === 0 && <p class="faint">Nothing is spent, and nothing is capped.</p>}
            <ul class="budgets">
              {answer.budgets.map((each) => (
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
          </section>
        </>
      )}
      <Timeline pool={pool} of={{ account: id }} calls={[]} />
    </Drawer>
  );
}

/** What there is to tell; "" is left out. */
function factsOf(answer: AccountDetail, pool: string): Fact[] {
  const here = answer.pools.find((each) => each.pool_id === pool);
  const until = untilOf(answer, pool);
  return [
    ["In this pool", here ? (here.usable ? "may be used" : "may not be used now") : "not a part of it"],
    ["Evidence", answer.evidence],
    ["Told by", answer.by],
    ["Since", answer.since && moment(answer.since)],
    ["Until", until && moment(until)],
    ["Handle", answer.handle && `@${answer.handle}`],
    ["Connections", here?.connections.join(", ") || "none"],
    ["Log-ins of 24 h", count(answer.logins_today)],
    ["Log-in ends", answer.login_ends && moment(answer.login_ends)],
    ["Proxy", answer.has_proxy ? "yes" : "none"],
    ["Tags", answer.tags.join(", ")],
    ["Notes", answer.notes],
  ];
}

function askToStand(path: string, id: string, verb: "enable" | "disable", done: () => void): void {
  const on = verb === "enable";
  confirm({
    title: on ? `Put ${id} into use?` : `Switch ${id} off?`,
    body: on
      ? "It is used again, whatever took it out. If X still refuses it, it goes out again."
      : "No pool uses it until somebody puts it into use again.",
    verb: on ? "Put into use" : "Switch off",
    danger: !on,
    fields: [{ name: "reason", label: "Reason", required: true }],
    run: (given) => post(`${path}/${verb}`, { reason: given["reason"] }).then(done),
    done: on ? `${id} is in use` : `${id} is off`,
  });
}

async function endQuarantine(pool: string, id: string, done: () => void): Promise<void> {
  try {
    await ask("DELETE", `pools/${part(pool)}/accounts/${part(id)}/quarantine`);
    say(`${id} is used again`);
    done();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}
