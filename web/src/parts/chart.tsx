import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Column, Columns } from "../history";
import { useStore, whole } from "../store";
import { colours } from "../theme";

export interface Line {
  figure: string;
  label: string;
  /** A colour's name in style.css. */
  colour: string;
  dashed?: boolean;
  filled?: boolean;
}

interface Props {
  title: string;
  columns: Columns;
  lines: Line[];
  /** Seconds that are shown, up to now. */
  range: number;
  format: (value: number | null | undefined) => string;
  /** What the axis goes up to at least. */
  least: number;
}

const time = (seconds: number) => new Date(seconds * 1000).toLocaleTimeString("en-GB");

const HEIGHT = 160;
const DAY = 86_400;
const SHORTEST = 900; // seconds
const YOUNGEST = 20;
const SECONDS = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const MINUTES = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const DAYS = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** Intervals that may be missing before the line is broken: the service was down, or collected nothing. */
const MISSING = 5;

/** A colour as it is now: canvases know nothing of `var()` and `light-dark()`. */
function resolved(host: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  host.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function dataOf(columns: Columns, lines: Line[]): uPlot.AlignedData {
  const at = (columns["at"] ?? []) as number[];
  const figures = lines.map((line) => columns[line.figure] ?? at.map(() => null));
  const broken = gapsIn(at);
  if (broken.length === 0) return [at, ...figures];
  const gap = <T,>(column: T[], filled: (index: number) => T): T[] => {
    let from = 0;
    const parts: T[] = [];
    for (const index of broken) {
      parts.push(...column.slice(from, index), filled(index));
      from = index;
    }
    return [...parts, ...column.slice(from)];
  };
  return [gap(at, (index) => (at[index - 1] ?? 0) + 0.001), ...figures.map((each) => gap(each, () => null))];
}

/** What is shown of the time. The shortest range begins where the figures do: a new service has few. */
function windowOf(plot: uPlot, range: number): [number, number] {
  const now = Date.now() / 1000;
  const first = plot.data[0][0];
  const young = range <= SHORTEST && first !== undefined ? Math.max(first, now - range) : now - range;
  return [Math.min(young, now - YOUNGEST), now];
}

/** Before which points something is missing. */
function gapsIn(at: readonly number[]): number[] {
  const steps = at.slice(1).map((each, index) => each - (at[index] ?? each));
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
  const least = Math.max(usual * MISSING, 3);
  return steps.flatMap((step, index) => (step > least ? [index + 1] : []));
}

/** Figures over time. All charts of a page have one crosshair. */
export default function Chart({ title, columns, lines, range, format, least }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const seconds = useRef(range);
  const [when, setWhen] = useState<number | null>(null);
  const drawn = useStore(colours, whole);
  seconds.current = range;

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const ink = resolved(element, "faint");
    const grid = { stroke: resolved(element, "line"), width: 1 };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        padding: [12, null, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: "time" }, drag: { x: false, y: false }, points: { size: 6 }, y: false },
        scales: {
          x: { time: true, range: (plot) => windowOf(plot, seconds.current) },
          y: { range: (_plot, _least, most) => [0, Math.max(most * 1.1, least)] },
        },
        axes: [
          {
            stroke: ink,
            grid,
            ticks: grid,
            size: 26,
            space: 70,
            font: "11px system-ui, sans-serif",
            values: (_plot, moments) => {
              const step = (moments[1] ?? 0) - (moments[0] ?? 0);
              const format = step >= DAY / 2 ? DAYS : step >= 60 ? MINUTES : SECONDS;
              return moments.map((each) => format.format(each * 1000));
            },
          },
          {
            stroke: ink,
            grid,
            ticks: grid,
            size: 60,
            font: "11px system-ui, sans-serif",
            values: (_plot, values) => values.map((value) => format(value)),
          },
        ],
        series: [
          {},
          ...lines.map((line) => {
            const stroke = resolved(element, line.colour);
            return {
              label: line.label,
              stroke,
              width: 1.5,
              points: { show: false },
              ...(line.dashed ? { dash: [5, 4] } : {}),
              ...(line.filled ? { fill: stroke.replace("rgb(", "rgba(").replace(")", ", 0.12)") } : {}),
            };
          }),
        ],
        hooks: {
          setCursor: [
            (at) => {
              const index = at.cursor.idx;
              setWhen(index == null ? null : (at.data[0][index] ?? null));
            },
          ],
        },
      },
      dataOf(columns, lines),
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [drawn]);

  useEffect(() => plot.current?.setData(dataOf(columns, lines)), [columns, range]);

  const at: Column = columns["at"] ?? [];
  const found = when === null ? -1 : at.findLastIndex((each) => (each ?? 0) <= when);
  const shown = found < 0 ? at.length - 1 : found;
  const values = lines.map((line) => ({ line, text: format(columns[line.figure]?.[shown]) }));
  const latest = lines.map((line) => `${line.label} ${format(columns[line.figure]?.at(-1))}`).join(", ");
  return (
    <figure class="chart">
      <figcaption class="row">
        <h2>{title}</h2>
        <ul class="legend">
          {values.map(({ line, text }) => (
            <li key={line.figure}>
              <span class="swatch" aria-hidden="true" style={{ background: `var(--${line.colour})` }} />
              {line.label} <b>{text}</b>
            </li>
          ))}
          <li class="when">
            {when === null ? "now" : range > DAY / 2 ? MOMENT.format(when * 1000) : time(when)}
          </li>
        </ul>
      </figcaption>
      <div
        class="plot"
        ref={host}
        role="img"
        aria-label={`${title}: ${at.length ? latest : "no figures yet"}`}
      />
      {at.length === 0 && <p class="empty over">The first figures come with the next interval.</p>}
    </figure>
  );
}
