import { useEffect, useState } from "preact/hooks";
import { count, countdown } from "../format";
import { useNow } from "../now";
import { FleetBudgets } from "../parts/fleet-budgets";
import { LongTable, type ColumnOf } from "../parts/long-table";
import { ProblemNote } from "../parts/problem";
import { SearchField } from "../parts/search";
import { State } from "../parts/state";
import { useRows } from "../parts/window";
import { place } from "../route";
import { ACCOUNT_STATES, type Account } from "../types";
import type { ViewProps } from "../views";
import { AccountDrawer } from "./account";

/** As in style.css. */
const NARROW = "(width < 760px)";

/** Those of any state that the pool may not use. */
const OUT = "out";

/** What this pool says of an account, or else what X or a person has said. */
export function whyOf(account: Account, pool: string): string {
  const here = account.pools.find((each) => each.pool_id === pool);
  return (here && !here.usable ? here.why : "") || account.reason;
}

/** When it may be used again: as this pool says, or else as its state does. */
export function untilOf(account: Account, pool: string): string | null {
  return account.pools.find((each) => each.pool_id === pool)?.until ?? account.until;
}

export function stateIn(account: Account, pool: string): string {
  const here = account.pools.find((each) => each.pool_id === pool);
  return here && account.usable ? here.state : account.state;
}

function Until({ at }: { at: string | null }) {
  const now = useNow();
  return at === null ? null : <>{countdown((Date.parse(at) - now) / 1000)}</>;
}

function columnsFor(pool: string): ColumnOf<Account>[] {
  return [
    { label: "Account", cell: (each) => each.id },
    { label: "State", cell: (each) => <State name={stateIn(each, pool)} /> },
    { label: "Back in", class: "number", cell: (each) => <Until at={untilOf(each, pool)} /> },
    { label: "Connections", class: "number", cell: (each) => count(each.connections) },
    { label: "Log-ins", class: "number", cell: (each) => count(each.logins_today) },
    { label: "Reason", class: "wide", cell: (each) => whyOf(each, pool) },
    { label: "Tags", cell: (each) => each.tags.join(", ") },
  ];
}

/** The accounts of a pool, and what they can still do together. */
export default function Accounts({ pool }: ViewProps) {
  const [looked, setLooked] = useState("");
  const [state, setState] = useState(() => place.get().asked.get("state") ?? "");
  const [opened, setOpened] = useState<string | null>(null);

  useEffect(() => setOpened(null), [pool]);

  const query = new URLSearchParams({ pool });
  if (looked) query.set("search", looked);
  if (state === OUT) query.set("usable", "false");
  else if (state) query.set("state", state);
  const rows = useRows<Account>(`accounts?${query}`);

  return (
    <>
      <div class="row tools">
        <h1>Accounts</h1>
        <span class="total" role="status">
          {count(rows.total)}
        </span>
        <SearchField label="Search by id or handle" placeholder="Search  /" onSearch={setLooked} />
        <select aria-label="State" value={state} onChange={(event) => setState(event.currentTarget.value)}>
          <option value="">any state</option>
          <option value={OUT}>cannot be used now</option>
          {ACCOUNT_STATES.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </div>
      <ProblemNote text={rows.problem} />
      <FleetBudgets pool={pool} shown={matchMedia(NARROW).matches ? 2 : 8} />
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
