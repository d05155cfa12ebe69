import { useEffect, useState } from "preact/hooks";
import { ask, part, post } from "../api";
import { count, moment } from "../format";
import { ActButton } from "../parts/act-button";
import { BudgetBar } from "../parts/budget";
import { confirm } from "../parts/dialog";
import { Drawer } from "../parts/drawer";
import { Facts } from "../parts/facts";
import { say } from "../parts/notice";
import { ProblemNote } from "../parts/problem";
import { State } from "../parts/state";
import { usePolled } from "../polled";
import type { AccountDetail } from "../types";
import { whyOf } from "./accounts";
import { askToQuarantine } from "./connection";

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

  const done = () => {
    again();
    changed();
  };
  const here = answer?.pools.find((each) => each.pool_id === pool);
  const left = here?.why.startsWith("quarantined") && answer?.state === "active";

  return (
    <Drawer title={id} onClose={onClose}>
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
            {left ? (
              <ActButton needs="operate" onClick={() => void endQuarantine(pool, id, done)}>
                End quarantine
              </ActButton>
            ) : (
              <ActButton needs="operate" onClick={() => askToQuarantine(pool, id, done)}>
                Quarantine…
              </ActButton>
            )}
          </div>
          <Facts
            facts={[
              ["State", <State name={answer.state} />],
              ["In this pool", here ? (here.usable ? "may be used" : here.why) : "not a part of it"],
              ["Reason", whyOf(answer, pool) || "–"],
              ["Evidence", answer.evidence || "–"],
              ["Told by", answer.by || "–"],
              ["Since", moment(answer.since)],
              ["Until", moment(answer.until)],
              ["Handle", answer.handle ? `@${answer.handle}` : "–"],
              ["Connections", here?.connections.join(", ") || "none"],
              ["Log-ins of 24 h", count(answer.logins_today)],
              ["Log-in ends", moment(answer.login_ends)],
              ["Proxy", answer.has_proxy ? "yes" : "none"],
              ["Tags", answer.tags.join(", ") || "–"],
            ]}
          />
          <section>
            <h3>Budgets</h3>
            {answer.budgets.length === 0 && <p class="faint">Nothing is spent, and nothing is capped.</p>}
            <ul class="budgets">
              {answer.budgets.map((each) => (
                <BudgetBar
                  key={each.endpoint}
                  endpoint={each.endpoint}
                  left={each.left}
                  limit={each.limit}
                  returnsIn={each.returns_in}
                  asOf={asOf}
                  beside={each.why}
                />
              ))}
            </ul>
          </section>
        </>
      )}
    </Drawer>
  );
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
