import { useEffect, useState } from "preact/hooks";
import { part } from "../api";
import { count } from "../format";
import { usePolled } from "../polled";
import type { Budget } from "../types";
import { BudgetBar } from "./budget";

const share = (each: Budget) => (each.left === null || !each.most ? 1 : each.left / each.most);

/** What all accounts together can still do on each endpoint: the most spent first, and so many of them. */
export function FleetBudgets({ pool, shown }: { pool: string; shown: number }) {
  const { answer } = usePolled<Budget[]>(`pools/${part(pool)}/budgets`, 5);
  const [asOf, setAsOf] = useState(Date.now());
  const [all, setAll] = useState(false);
  useEffect(() => setAsOf(Date.now()), [answer]);
  const sorted = [...(answer ?? [])].sort((a, b) => share(a) - share(b));
  return (
    <section class="panel">
      <div class="row">
        <h2>What the accounts can still do</h2>
        <span class="gap" />
        {sorted.length > shown && (
          <button type="button" class="chip" aria-pressed={all} onClick={() => setAll(!all)}>
            all {sorted.length}
          </button>
        )}
      </div>
      {answer?.length === 0 && <p class="faint">Nothing was called yet, and nothing is capped.</p>}
      <ul class="budgets">
        {(all ? sorted : sorted.slice(0, shown)).map((each) => (
          <BudgetBar
            key={each.endpoint}
            endpoint={each.endpoint}
            left={each.left}
            limit={each.most}
            returnsIn={each.returns_in}
            asOf={asOf}
            beside={
              each.usable < each.accounts ? `${count(each.usable)} of ${count(each.accounts)} accounts` : ""
            }
          />
        ))}
      </ul>
    </section>
  );
}
