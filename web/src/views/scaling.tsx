import { useEffect } from "preact/hooks";
import { part } from "../api";
import { count, moment, percent, rate, words } from "../format";
import { fetchHistory, history, RANGES } from "../history";
import type { Line } from "../parts/chart";
import { lazy } from "../parts/lazy";
import { ProblemNote } from "../parts/problem";
import { usePolled } from "../polled";
import { useStore, whole } from "../store";
import type { Decision, Scaling as Told } from "../types";
import type { ViewProps } from "../views";

const Chart = lazy(() => import("../parts/chart"));

const SIZES: Line[] = [
  { figure: "total", label: "size", colour: "line-1", filled: true },
  { figure: "target", label: "target", colour: "line-3", dashed: true },
  { figure: "active", label: "in use", colour: "line-2" },
];

/** How many connections there should be, and why. */
export default function Scaling({ pool }: ViewProps) {
  const { answer, problem } = usePolled<Told>(`pools/${part(pool)}/scaling?limit=100`, 2);
  return (
    <>
      <h1>Scaling</h1>
      <ProblemNote text={problem} />
      {answer && (
        <>
          <Sizes told={answer} />
          <Latest told={answer} />
          <Course pool={pool} />
          <Decisions told={answer} />
        </>
      )}
    </>
  );
}

function Sizes({ told }: { told: Told }) {
  const figures: [string, string, string][] = [
    ["Size", count(told.size), "connections"],
    ["Target", count(told.decision?.target_size), ""],
    ["Wanted", count(told.decision?.wanted_size), "by the rules"],
    ["Bounds", `${count(told.least)}–${count(told.most)}`, "by the settings"],
    ["Possible", count(told.capacity), "with these accounts"],
    ["Confidence", percent(told.decision?.confidence), ""],
  ];
  return (
    <dl class="strip">
      {figures.map(([label, value, beside]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>
            <b>{value}</b> <span>{beside}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** How the size went, over the range that the overview shows. */
function Course({ pool }: { pool: string }) {
  const shown = useStore(history, whole);
  const range = shown?.range ?? RANGES[0];
  useEffect(() => void fetchHistory(pool, range), [pool]);
  return (
    <div class="charts">
      <Chart
        title={`Size, ${range.label}`}
        columns={shown?.pool === pool ? shown.columns : {}}
        lines={SIZES}
        range={range.seconds}
        format={rate}
        least={1}
      />
    </div>
  );
}

function Latest({ told }: { told: Told }) {
  return (
    <section class="panel">
      <h2>Now</h2>
      {!told.enabled && <p>This pool is sized by hand: its setting enable_auto_scaling is off.</p>}
      {told.dry_run && <p>A dry run: decisions are told, and not carried out.</p>}
      {told.decision ? (
        <p>
          <Action decision={told.decision} /> {told.decision.reason}
        </p>
      ) : (
        <p class="faint">Nothing is decided yet.</p>
      )}
      {told.ceilings.map((each) => (
        <p key={each} class="faint">
          {each}
        </p>
      ))}
    </section>
  );
}

function Action({ decision }: { decision: Decision }) {
  const arrow = { scale_up: "▲", scale_down: "▼", hold: "■" }[decision.action];
  return (
    <b class="action" data-action={decision.action}>
      <span aria-hidden="true">{arrow}</span> {words(decision.action)}
    </b>
  );
}

function Decisions({ told }: { told: Told }) {
  return (
    <section class="panel scrolled" tabIndex={0} aria-label="Decisions">
      <h2>Decisions</h2>
      {told.history.length === 0 ? (
        <p class="faint">None yet that differed from the one before.</p>
      ) : (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">At</th>
              <th scope="col">Action</th>
              <th scope="col" class="number">
                Target
              </th>
              <th scope="col" class="number">
                Wanted
              </th>
              <th scope="col" class="number">
                Confidence
              </th>
              <th scope="col" class="number">
                Load
              </th>
              <th scope="col">Reason</th>
              <th scope="col">Held back by</th>
            </tr>
          </thead>
          <tbody>
            {told.history.map(({ at, decision }) => (
              <tr key={at}>
                <td>{moment(at)}</td>
                <td>
                  <Action decision={decision} />
                </td>
                <td class="number">{count(decision.target_size)}</td>
                <td class="number">{count(decision.wanted_size)}</td>
                <td class="number">{percent(decision.confidence)}</td>
                <td class="number">{rate(decision.predicted_load)}</td>
                <td class="reason">{decision.reason}</td>
                <td>{decision.constraints.join(", ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
