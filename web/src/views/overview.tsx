import { useEffect, useState } from "preact/hooks";
import { count, duration, percent, rate } from "../format";
import { fetchHistory, history, RANGES, type Columns, type Range } from "../history";
import type { Line } from "../parts/chart";
import { FleetBudgets } from "../parts/fleet-budgets";
import { lazy } from "../parts/lazy";
import { State } from "../parts/state";
import { Trend } from "../parts/trend";
import { addressOf } from "../route";
import { useStore, whole } from "../store";
import type { PoolStatus } from "../types";
import type { ViewProps } from "../views";
import { Attention } from "./attention";

/** What draws them is as large as all else; the figures above need not wait for it. */
const Chart = lazy(() => import("../parts/chart"));

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
export default function Overview({ pool, known }: ViewProps) {
  const [range, setRange] = useState<Range>(history.get()?.range ?? RANGES[0]);
  const shown = useStore(history, whole);
  const columns = shown?.pool === pool ? shown.columns : NONE;
  const kept = shown?.kept ?? 0;
  const shared = { columns, range: range.seconds };

  useEffect(() => void fetchHistory(pool, range), [pool, range]);

  return (
    <>
      <h1 class="hidden">Overview</h1>
      <Strip {...known} columns={columns} />
      <div class="row wrap">
        <Mix status={known.status} />
        <span class="gap" />
        <div class="segments" role="group" aria-label="Time range">
          {RANGES.map((each) => (
            <RangeButton key={each.label} range={each} kept={kept} chosen={range} choose={setRange} />
          ))}
        </div>
      </div>
      <div class="charts">
        <Chart {...shared} title="Connections" lines={CONNECTIONS} format={rate} least={1} />
        <Chart {...shared} title="Calls and errors" lines={CALLS} format={rate} least={1} />
        <Chart {...shared} title="Time to acquire" lines={TIMES} format={duration} least={0.01} />
      </div>
      <div class="columns">
        <Attention pool={pool} />
        <FleetBudgets pool={pool} shown={6} />
      </div>
    </>
  );
}

interface RangeProps {
  range: Range;
  kept: number;
  chosen: Range;
  choose: (range: Range) => void;
}

function RangeButton({ range, kept, chosen, choose }: RangeProps) {
  const why =
    kept === 0 || range.seconds <= kept
      ? ""
      : `this service keeps figures for ${duration(kept)}; for longer, use Prometheus`;
  return (
    <button
      type="button"
      class="chip"
      aria-pressed={chosen.label === range.label}
      aria-disabled={why ? "true" : undefined}
      title={why || undefined}
      onClick={() => {
        if (!why) choose(range);
      }}
    >
      {range.label}
    </button>
  );
}

interface Figure {
  label: string;
  value: string;
  beside?: string;
  bad?: boolean;
  /** The column of its trend. */
  column: string;
}

function Strip({ status, metrics, columns }: Omit<ViewProps["known"], "decision"> & { columns: Columns }) {
  const errors = metrics?.error_rate;
  const figures: Figure[] = [
    {
      label: "In use",
      value: count(status.active),
      beside: `of ${count(metrics?.max_connections ?? status.total)}`,
      column: "active",
    },
    { label: "Waiting", value: count(status.queued), bad: status.queued > 0, column: "queued" },
    {
      label: "Longest wait",
      value: duration(status.longest_wait),
      bad: status.longest_wait > 5,
      column: "longest_wait",
    },
    { label: "Calls", value: rate(metrics?.throughput), beside: "a second", column: "calls" },
    {
      label: "Errors",
      value: percent(errors),
      beside: "of calls",
      bad: (errors ?? 0) > 0.05,
      column: "errors",
    },
    {
      label: "p95",
      value: duration(metrics?.p95_response_time),
      beside: "of a call",
      column: "response_p95",
    },
  ];
  return (
    <dl class="strip">
      {figures.map(({ label, value, beside, bad, column }) => (
        <div key={label} data-bad={bad ? "" : undefined}>
          <dt>{label}</dt>
          <dd>
            <b>{value}</b> <span>{beside}</span>
          </dd>
          <Trend values={columns[column] ?? []} />
        </div>
      ))}
    </dl>
  );
}

/** How many connections and accounts are in which state; each leads to them. */
function Mix({ status }: { status: PoolStatus }) {
  const lists = [
    ["connections", "Connections", status.by_state],
    ["accounts", "Accounts", status.accounts_by_state],
  ] as const;
  return (
    <div class="mix">
      {lists.map(([view, label, states]) => (
        <ul key={label} aria-label={`${label} by state`}>
          <li class="faint">{label}</li>
          {Object.entries(states)
            .filter(([, number]) => number > 0)
            .map(([state, number]) => (
              <li key={state}>
                <a href={addressOf(view, { state })}>
                  <State name={state} /> {count(number)}
                </a>
              </li>
            ))}
        </ul>
      ))}
    </div>
  );
}
