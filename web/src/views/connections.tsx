import { useEffect, useState } from "preact/hooks";
import { part } from "../api";
import { count, duration, percent } from "../format";
import { LongTable, type ColumnOf, type Order } from "../parts/long-table";
import { ProblemNote } from "../parts/problem";
import { SearchField } from "../parts/search";
import { State } from "../parts/state";
import { useRows } from "../parts/window";
import { PRIORITIES, STATES, type Connection } from "../types";
import { ConnectionDrawer } from "./connection";

const COLUMNS: ColumnOf<Connection>[] = [
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
  { label: "Latency p95", class: "number", cell: (each) => duration(each.p95_response_time) },
  { label: "Idle", sort: "idle_since", class: "number", cell: (each) => duration(each.idle_time || null) },
  { label: "Leases", sort: "usage_count", class: "number", cell: (each) => count(each.usage_count) },
  { label: "Errors", sort: "error_count", class: "number", cell: (each) => count(each.error_count) },
  { label: "Account", sort: "account_id", cell: (each) => each.account_id },
  { label: "Reason", class: "wide", cell: reasonOf },
];

/** Why it is in its state, as far as the connection itself knows. */
export function reasonOf(each: Connection): string {
  const priority = each.priority === null ? "" : (PRIORITIES[each.priority - 1] ?? "");
  if (each.reserved_for !== null) return `for ${each.reserved_for} ${priority}`;
  if (each.borrower !== null) return `${each.borrower} ${priority}`;
  return each.healthy ? "" : "something speaks against it";
}

/** Sorting by how long it is idle is by since when, the other way round. */
const sent = (order: Order) => order.descending !== (order.sort === "idle_since");

/** Every connection of a pool. */
export function Connections({ pool }: { pool: string }) {
  const [looked, setLooked] = useState("");
  const [state, setState] = useState("");
  const [ill, setIll] = useState(false);
  const [order, setOrder] = useState<Order>({ sort: "connection_id", descending: false });
  const [opened, setOpened] = useState<string | null>(null);

  useEffect(() => setOpened(null), [pool]);

  const query = new URLSearchParams({ sort: order.sort, descending: String(sent(order)) });
  if (looked) query.set("account", looked);
  if (state) query.set("state", state);
  if (ill) query.set("healthy", "false");
  const rows = useRows<Connection>(`pools/${part(pool)}/connections?${query}`);

  return (
    <>
      <div class="row tools">
        <h1>Connections</h1>
        <span class="faint" role="status">
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
