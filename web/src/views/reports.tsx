import { useState } from "preact/hooks";
import { part } from "../api";
import { count, duration, moment, percent, rate } from "../format";
import { ProblemNote } from "../parts/problem";
import { usePolled } from "../polled";
import type { ViewProps } from "../views";

interface Percentiles {
  p50: number | null;
  p95: number | null;
}

interface Effect {
  figure: string;
  recorded: number | null;
  before: number;
  after: number;
  low: number;
  high: number;
}

interface Recommendation {
  problem: string;
  title: string;
  evidence: string[];
  effects: Effect[];
  uncertainty: string;
}

/** What this view shows of a report; docs/reports.md says what each figure is. */
interface Report {
  since: string;
  until: string;
  made_at: string;
  availability: { measured: number; requests: number | null; calls: number | null };
  throughput: { calls: number; calls_per_second: number };
  response: Percentiles;
  error_budget: { objective: number; used: number | null };
  scaling: { late: number | null; waste: number | null };
  forecast: { peak: number; peak_connections: number; enough: boolean } | null;
  anomalies: { sentence: string }[];
  recommendations: Recommendation[] | null;
  notes: string[];
}

const RANGES: [label: string, last: string][] = [
  ["a day", "1d"],
  ["a week", "7d"],
  ["four weeks", "4w"],
];

const AGAIN = 600;

/** What the pool did, and what should be changed; to look at, and to take away. */
export default function Reports({ pool }: ViewProps) {
  const [last, setLast] = useState("7d");
  const way = `pools/${part(pool)}/report`;
  const { answer, problem } = usePolled<Report>(`${way}?last=${last}`, AGAIN);
  return (
    <>
      <div class="row tools">
        <h1>Reports</h1>
        <select aria-label="How far back" value={last} onChange={(event) => setLast(event.currentTarget.value)}>
          {RANGES.map(([label, value]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
        <span class="gap" />
        {[
          ["Open", "html", false],
          ["HTML", "html", true],
          ["CSV", "csv", true],
          ["JSON", "", true],
        ].map(([label, kind, keep]) => (
          <a
            key={label}
            href={`v1/${way}${kind && `.${kind}`}?last=${last}`}
            {...(keep ? { download: `${pool}-${last}.${kind || "json"}` } : { target: "_blank", rel: "noopener" })}
          >
            {label}
          </a>
        ))}
      </div>
      <ProblemNote text={problem} />
      {answer ? <Told report={answer} /> : !problem && <p class="empty">The report is made…</p>}
    </>
  );
}

function Told({ report }: { report: Report }) {
  const figures: [string, string, string][] = [
    ["Calls", count(report.throughput.calls), `${rate(report.throughput.calls_per_second)}/s`],
    ["Went well", percent(report.availability.calls), "of the calls"],
    ["Served", percent(report.availability.requests), "of the requests"],
    ["Late", percent(report.scaling.late), "of the requests"],
    ["Response", duration(report.response.p95), "95% are below"],
    ["Error budget", percent(report.error_budget.used), "used"],
    ["Waste", percent(report.scaling.waste), "of connections"],
    ["Measured", percent(report.availability.measured), "of the time"],
  ];
  return (
    <>
      <p class="faint">
        {moment(report.since)} to {moment(report.until)}, made {moment(report.made_at)}
      </p>
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
      {report.recommendations && (
        <section class="panel">
          <h2>What to change</h2>
          {report.recommendations.length === 0 && (
            <p class="faint">Nothing: no change, replayed, would have been clearly better.</p>
          )}
          {report.recommendations.map((each) => (
            <Change key={each.title} change={each} />
          ))}
        </section>
      )}
      <section class="panel">
        <h2>What was unusual</h2>
        {report.anomalies.length === 0 && <p class="faint">Nothing that the hour and chance do not explain.</p>}
        {report.anomalies.map((each) => (
          <p key={each.sentence}>{each.sentence}</p>
        ))}
      </section>
      {report.forecast && (
        <section class="panel">
          <h2>The next day</h2>
          <p>
            At most {rate(report.forecast.peak)} erlangs, for which {count(report.forecast.peak_connections)}{" "}
            connections are enough
            {report.forecast.enough ? "." : ": more than max_connections allows."}
          </p>
        </section>
      )}
      {report.notes.map((each) => (
        <p key={each} class="faint">
          Note: {each}.
        </p>
      ))}
    </>
  );
}

function Change({ change }: { change: Recommendation }) {
  return (
    <>
      <p>
        <b>{change.title}</b>
      </p>
      {change.evidence.map((each) => (
        <p key={each} class="faint">
          {each}
        </p>
      ))}
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Replayed</th>
            <th scope="col" class="number">
              As it is
            </th>
            <th scope="col" class="number">
              With it
            </th>
          </tr>
        </thead>
        <tbody>
          {change.effects.map((each) => (
            <tr key={each.figure}>
              <td>{each.figure}</td>
              <td class="number">{shown(each, each.before)}</td>
              <td class="number">{shown(each, each.after)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="faint">{change.uncertainty}.</p>
    </>
  );
}

const shown = (effect: Effect, value: number): string =>
  effect.figure.includes("share") ? percent(value) : rate(value);
