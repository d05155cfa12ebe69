import { useEffect, useState } from "preact/hooks";
import { count, duration, percent, rate } from "../format";
import { fetchHistory, history, type Columns } from "../history";
import { Chart, type Line } from "../parts/chart";
import { State } from "../parts/state";
import type { Known } from "../pools";
import { useStore, whole } from "../store";

const RANGES: [label: string, seconds: number][] = [
  ["15 min", 900],
  ["1 h", 3600],
  ["24 h", 86_400],
];

const CONNECTIONS: Line[] = [
  { figure: "total", label: "total", colour: "line-1", filled: true },
  { figure: "active", label: "in use", colour: "line-2" },
  { figure: "target", label: "target", colour: "line-3", dashed: true },
];
const CALLS: Line[] = [
  { figure: "calls", label: "calls/s", colour: "line-1", filled: true },
  { figure: "errors", label: "errors/s", colour: "bad" },
];
const TIMES: Line[] = [
  { figure: "acquisition_p50", label: "p50", colour: "line-1" },
  { figure: "acquisition_p95", label: "p95", colour: "line-2" },
  { figure: "acquisition_p99", label: "p99", colour: "line-3" },
];
const NONE: Columns = {};

/** What a pool is doing, at a glance. */
export function Overview({ pool, known }: { pool: string; known: Known }) {
  const [range, setRange] = useState(900);
  const columns = useStore(history, whole).get(pool) ?? NONE;

  useEffect(() => {
    if (!history.get().has(pool)) void fetchHistory(pool);
  }, [pool]);

  return (
    <>
      <h1 class="hidden">Overview</h1>
      <Strip known={known} />
      <div class="row wrap">
        <Mix known={known} />
        <span class="gap" />
        <div class="row" role="group" aria-label="Time range">
          {RANGES.map(([label, seconds]) => (
            <button
              key={label}
              type="button"
              class="chip"
              aria-pressed={range === seconds}
              onClick={() => setRange(seconds)}
            >
              {label}
            </button>
          ))}
        </div>
      </div>
      <div class="charts">
        <Chart title="Connections" columns={columns} lines={CONNECTIONS} range={range} format={rate} />
        <Chart title="Calls and errors" columns={columns} lines={CALLS} range={range} format={rate} />
        <Chart title="Time to acquire" columns={columns} lines={TIMES} range={range} format={duration} />
      </div>
    </>
  );
}

function Strip({ known: { status, metrics } }: { known: Known }) {
  const errors = metrics?.error_rate;
  const figures: [label: string, value: string, beside: string, bad: boolean][] = [
    ["In use", count(status.active), `of ${count(metrics?.max_connections ?? status.total)}`, false],
    ["Waiting", count(status.queued), "", status.queued > 0],
    ["Longest wait", duration(status.longest_wait), "", status.longest_wait > 5],
    ["Calls", rate(metrics?.throughput), "a second", false],
    ["Errors", percent(errors), "of calls", (errors ?? 0) > 0.05],
    ["p95", duration(metrics?.p95_response_time), "of a call", false],
  ];
  return (
    <dl class="strip">
      {figures.map(([label, value, beside, bad]) => (
        <div key={label} data-bad={bad ? "" : undefined}>
          <dt>{label}</dt>
          <dd>
            <b>{value}</b> <span>{beside}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** How many connections and accounts are in which state. */
function Mix({ known: { status } }: { known: Known }) {
  const lists: [string, Record<string, number>][] = [
    ["Connections", status.by_state],
    ["Accounts", status.accounts_by_state],
  ];
  return (
    <div class="mix">
      {lists.map(([label, states]) => (
        <ul key={label} aria-label={`${label} by state`}>
          <li class="faint">{label}</li>
          {Object.entries(states)
            .filter(([, number]) => number > 0)
            .map(([state, number]) => (
              <li key={state}>
                <State name={state} /> {count(number)}
              </li>
            ))}
        </ul>
      ))}
    </div>
  );
}
