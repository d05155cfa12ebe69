import { useEffect, useState } from "preact/hooks";
import { part } from "../api";
import { count, countdown } from "../format";
import { useNow } from "../now";
import { BudgetBar } from "../parts/budget";
import { LongTable, type ColumnOf } from "../parts/long-table";
import { ProblemNote } from "../parts/problem";
import { SearchField } from "../parts/search";
import { State } from "../parts/state";
import { useRows } from "../parts/window";
import { usePolled } from "../polled";
import { ACCOUNT_STATES, type Account, type Budget } from "../types";
import { AccountDrawer } from "./account";

const SHOWN = 8;

/** What this pool says of an account, or else what X or a person has said. */
export function whyOf(account: Account, pool: string): string {
  const here = account.pools.find((each) => each.pool_id === pool);
  return (here && !here.usable ? here.why : "") || account.reason;
}

function Until({ at }: { at: string | null }) {
  const now = useNow();
  return at === null ? null : <>{countdown((Date.parse(at) - now) / 1000)}</>;
}

function columnsFor(pool: string): ColumnOf<Account>[] {
  return [
    { label: "Account", cell: (each) => each.id },
    { label: "State", cell: (each) => <State name={stateIn(each, pool)} /> },
    { label: "Back in", class: "number", cell: (each) => <Until at={each.until} /> },
    { label: "Connections", class: "number", cell: (each) => count(each.connections) },
    { label: "Log-ins", class: "number", cell: (each) => count(each.logins_today) },
    { label: "Reason", class: "wide", cell: (each) => whyOf(each, pool) },
    { label: "Tags", cell: (each) => each.tags.join(", ") },
  ];
}

function stateIn(account: Account, pool: string): string {
  const here = account.pools.find((each) => each.pool_id === pool);
  return here && !here.usable && account.usable ? (here.why.split(":")[0] ?? account.state) : account.state;
}

/** The accounts of a pool, and what they can still do together. */
export function Accounts({ pool }: { pool: string }) {
  const [looked, setLooked] = useState("");
  const [state, setState] = useState("");
  const [opened, setOpened] = useState<string | null>(null);

  useEffect(() => setOpened(null), [pool]);

  const query = new URLSearchParams({ pool });
  if (looked) query.set("search", looked);
  if (state) query.set("state", state);
  const rows = useRows<Account>(`accounts?${query}`);

  return (
    <>
      <div class="row tools">
        <h1>Accounts</h1>
        <span class="faint" role="status">
          {count(rows.total)}
        </span>
        <SearchField label="Search by id or handle" placeholder="Search  /" onSearch={setLooked} />
        <select aria-label="State" value={state} onChange={(event) => setState(event.currentTarget.value)}>
          <option value="">any state</option>
          {ACCOUNT_STATES.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </div>
      <ProblemNote text={rows.problem} />
      <Budgets pool={pool} />
      <div class="beside">
        <LongTable
          caption="Accounts"
          rows={rows}
          columns={columnsFor(pool)}
          name={(each) => each.id}
          opened={opened}
          onOpen={(name) => setOpened(name === opened ? null : name)}
        />
        {opened !== null && (
          <AccountDrawer
            key={opened}
            pool={pool}
            id={opened}
            onClose={() => setOpened(null)}
            changed={rows.again}
          />
        )}
      </div>
    </>
  );
}

/** What all of them together can still do on each endpoint, the most spent first. */
function Budgets({ pool }: { pool: string }) {
  const { answer } = usePolled<Budget[]>(`pools/${part(pool)}/budgets`, 5);
  const [asOf, setAsOf] = useState(Date.now());
  const [all, setAll] = useState(false);
  useEffect(() => setAsOf(Date.now()), [answer]);
  if (!answer || answer.length === 0) return null;
  const share = (each: Budget) => (each.left === null || !each.limit ? 1 : each.left / each.limit);
  const sorted = [...answer].sort((a, b) => share(a) - share(b));
  return (
    <section class="panel">
      <div class="row">
        <h2>What they can still do</h2>
        {sorted.length > SHOWN && (
          <button type="button" class="chip" aria-pressed={all} onClick={() => setAll(!all)}>
            all {sorted.length}
          </button>
        )}
      </div>
      <ul class="budgets">
        {(all ? sorted : sorted.slice(0, SHOWN)).map((each) => (
          <BudgetBar
            key={each.endpoint}
            endpoint={each.endpoint}
            left={each.left}
            limit={each.limit}
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
