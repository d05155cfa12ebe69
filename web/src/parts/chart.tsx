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
}

const HEIGHT = 150;
const MINUTES = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });

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
  const at = columns["at"] ?? [];
  return [
    at,
    ...lines.map((line) => columns[line.figure] ?? at.map(() => null)),
  ] as unknown as uPlot.AlignedData;
}

/** Figures over time. All charts of a page have one crosshair. */
export function Chart({ title, columns, lines, range, format }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const seconds = useRef(range);
  const [index, setIndex] = useState<number | null>(null);
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
        legend: { show: false },
        cursor: { sync: { key: "time" }, drag: { x: false, y: false }, points: { size: 6 }, y: false },
        scales: {
          x: { time: true, range: () => [Date.now() / 1000 - seconds.current, Date.now() / 1000] },
          y: { range: (_plot, _least, most) => [0, Math.max(most * 1.1, 0.001)] },
        },
        axes: [
          {
            stroke: ink,
            grid,
            ticks: grid,
            size: 26,
            font: "11px sans-serif",
            values: (_plot, moments) => moments.map((each) => MINUTES.format(each * 1000)),
          },
          {
            stroke: ink,
            grid,
            ticks: grid,
            size: 66,
            font: "11px sans-serif",
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
        hooks: { setCursor: [(at) => setIndex(at.cursor.idx ?? null)] },
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
  const shown = index ?? at.length - 1;
  const when = at[shown];
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
            {index === null || when == null ? "now" : new Date(when * 1000).toLocaleTimeString("en-GB")}
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
