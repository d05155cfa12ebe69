import { useEffect, useState } from "preact/hooks";
import { part } from "../api";
import { count, duration, percent } from "../format";
import { BudgetCell } from "../parts/budget";
import { LongTable, type ColumnOf, type Order } from "../parts/long-table";
import { ProblemNote } from "../parts/problem";
import { SearchField } from "../parts/search";
import { Sparkline } from "../parts/sparkline";
import { State } from "../parts/state";
import { useRows } from "../parts/window";
import { place } from "../route";
import { PRIORITIES, STATES, type Connection, type ListedConnection } from "../types";
import type { ViewProps } from "../views";
import { ConnectionDrawer } from "./connection";

const COLUMNS: ColumnOf<ListedConnection>[] = [
  { label: "Connection", sort: "connection_id", cell: (each) => each.connection_id },
  { label: "State", sort: "state", cell: (each) => <State name={each.state} /> },
  {
    label: "Health",
    sort: "health",
    class: "number",
    cell: (each) => (
      <span data-bad={each.health < 0.5 || !each.healthy ? "" : undefined}>{percent(each.health)}</span>
    ),
  },
  { label: "Latest calls", cell: (each) => <Sparkline times={each.response_times} /> },
  {
    label: "Latency",
    sort: "average_response_time",
    highest: true,
    class: "number",
    cell: (each) => (
      <span title={`p50 ${duration(each.p50_response_time)}, p95 ${duration(each.p95_response_time)}`}>
        {duration(each.average_response_time)}
      </span>
    ),
  },
  { label: "Tightest budget", class: "budget-column", cell: budgetOf },
  {
    label: "Idle",
    sort: "idle_time",
    highest: true,
    class: "number minor",
    cell: (each) => duration(each.idle_time || null),
  },
  {
    label: "Leases",
    sort: "usage_count",
    highest: true,
    class: "number minor",
    cell: (each) => count(each.usage_count),
  },
  {
    label: "Errors",
    sort: "error_count",
    highest: true,
    class: "number",
    cell: (each) => <span class={each.error_count ? "" : "faint"}>{count(each.error_count)}</span>,
  },
  { label: "Who has it, and why not", class: "wide", cell: (each) => <Reason of={each} /> },
];

function budgetOf({ budget }: ListedConnection, asOf: number) {
  return budget === null ? (
    <span class="faint">nothing spent</span>
  ) : (
    <BudgetCell
      endpoint={budget.endpoint}
      left={budget.expected}
      limit={budget.most}
      returnsIn={budget.returns_in}
      asOf={asOf}
    />
  );
}

/** Who has it or for whom it is kept, and what speaks against it. */
function Reason({ of: each }: { of: Connection }) {
  const priority = each.priority === null ? "" : (PRIORITIES[each.priority - 1] ?? "");
  const whose =
    each.borrower !== null
      ? `${each.borrower} · ${priority}`
      : each.reserved_for !== null
        ? `for ${each.reserved_for} · ${priority}`
        : "";
  const told = [whose, each.reason].filter(Boolean).join(" · ");
  return (
    <span title={told} class={each.reason ? "speaks-against" : undefined}>
      {told}
    </span>
  );
}

/** Every connection of a pool. */
export default function Connections({ pool }: ViewProps) {
  const [looked, setLooked] = useState("");
  const [state, setState] = useState(() => place.get().asked.get("state") ?? "");
  const [ill, setIll] = useState(false);
  const [order, setOrder] = useState<Order>({ sort: "connection_id", descending: false });
  const [opened, setOpened] = useState<string | null>(null);

  useEffect(() => setOpened(null), [pool]);

  const query = new URLSearchParams({ sort: order.sort, descending: String(order.descending) });
  if (looked) query.set("account", looked);
  if (state) query.set("state", state);
  if (ill) query.set("healthy", "false");
  const rows = useRows<ListedConnection>(`pools/${part(pool)}/connections?${query}`);

  return (
    <>
      <div class="row tools">
        <h1>Connections</h1>
        <span class="total" role="status">
          {count(rows.total)}
        </span>
        <SearchField label="Search by account" placeholder="Search accounts  /" onSearch={setLooked} />
        <select aria-label="State" value={state} onChange={(event) => setState(event.currentTarget.value)}>
          <option value="">any state</option>
          {STATES.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
        <label class="check">
          <input type="checkbox" checked={ill} onChange={(event) => setIll(event.currentTarget.checked)} />{" "}
          unhealthy
        </label>
      </div>
      <ProblemNote text={rows.problem} />
      <div class="beside">
        <LongTable
          caption="Connections"
          rows={rows}
          columns={COLUMNS}
          name={(each) => each.connection_id}
          opened={opened}
          onOpen={(name) => setOpened(name === opened ? null : name)}
          order={order}
          onOrder={setOrder}
        />
        {opened !== null && (
          <ConnectionDrawer
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
