import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { count } from "../format";
import type { Rows } from "./window";

const ROW = 32; // pixels, as in style.css
const BESIDE = 10; // rows that are drawn above and below what is seen

export interface ColumnOf<T> {
  label: string;
  /** `asOf` is when the row was answered, in milliseconds since 1970. */
  cell: (row: T, asOf: number) => ComponentChildren;
  /** What the service sorts by. */
  sort?: string;
  /** Whether who sorts by it looks for the highest. */
  highest?: boolean;
  class?: string;
}

export interface Order {
  sort: string;
  descending: boolean;
}

interface Props<T> {
  caption: string;
  rows: Rows<T>;
  columns: ColumnOf<T>[];
  name: (row: T) => string;
  opened: string | null;
  onOpen: (name: string) => void;
  order?: Order;
  onOrder?: (order: Order) => void;
}

/** A table of any length, of which the rows that are seen are drawn. The arrow keys go from row to row. */
export function LongTable<T>({ caption, rows, columns, name, opened, onOpen, order, onOrder }: Props<T>) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const focus = useRef<number | null>(null);
  const total = rows.total ?? 0;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = new ResizeObserver(() => setHeight(element.clientHeight));
    measure.observe(element);
    return () => measure.disconnect();
  }, []);

  const first = Math.max(0, Math.min(Math.floor(top / ROW) - BESIDE, total - 1));
  const last = Math.min(total, Math.ceil((top + height) / ROW) + BESIDE);

  useEffect(() => rows.show(first, Math.max(first, last - 1)));

  useEffect(() => {
    if (focus.current === null) return;
    const button = box.current?.querySelector<HTMLElement>(`[data-row="${focus.current}"]`);
    if (button) {
      button.focus({ preventScroll: true });
      focus.current = null;
    }
  });

  function goTo(index: number): void {
    const element = box.current;
    if (!element || total === 0) return;
    const to = Math.max(0, Math.min(total - 1, index));
    focus.current = to;
    const head = ROW;
    if (to * ROW < element.scrollTop) element.scrollTop = to * ROW;
    else if ((to + 1) * ROW > element.scrollTop + element.clientHeight - head) {
      element.scrollTop = (to + 1) * ROW - element.clientHeight + head;
    }
    setTop(element.scrollTop);
    const button = element.querySelector<HTMLElement>(`[data-row="${to}"]`);
    if (button) {
      button.focus({ preventScroll: true });
      focus.current = null;
    }
  }

  function onKey(event: KeyboardEvent): void {
    const from = Number((event.target as HTMLElement).dataset["row"]);
    if (Number.isNaN(from)) return;
    const page = Math.floor(height / ROW) - 1;
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const step = steps[event.key];
    const to =
      step !== undefined ? from + step : event.key === "Home" ? 0 : event.key === "End" ? total - 1 : null;
    if (to === null) return;
    event.preventDefault();
    goTo(to);
  }

  const drawn: ComponentChildren[] = [];
  for (let index = first; index < last; index += 1) {
    const row = rows.at(index);
    drawn.push(
      row === undefined ? (
        <tr key={index} aria-rowindex={index + 2}>
          <td colSpan={columns.length} class="faint">
            …
          </td>
        </tr>
      ) : (
        <tr
          key={index}
          aria-rowindex={index + 2}
          data-opened={name(row) === opened ? "" : undefined}
          onClick={() => onOpen(name(row))}
        >
          {columns.map((column, place) =>
            place === 0 ? (
              <th key={column.label} scope="row" class={column.class}>
                <button
                  type="button"
                  class="link"
                  data-row={index}
                  data-name={name(row)}
                  aria-expanded={name(row) === opened}
                  onClick={(event) => {
                    event.stopPropagation();
                    onOpen(name(row));
                  }}
                >
                  {column.cell(row, rows.asOf(index))}
                </button>
              </th>
            ) : (
              <td key={column.label} class={column.class}>
                {column.cell(row, rows.asOf(index))}
              </td>
            ),
          )}
        </tr>
      ),
    );
  }

  return (
    <div
      class="long-table"
      ref={box}
      onScroll={() => setTop(box.current?.scrollTop ?? 0)}
      onKeyDown={onKey}
      tabIndex={0}
      role="region"
      aria-label={`${caption}, ${count(total)} rows`}
    >
      <table aria-rowcount={total + 1}>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <Head key={column.label} column={column} order={order} onOrder={onOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Space rows={first} />
          {drawn}
          <Space rows={total - last} />
        </tbody>
      </table>
      {rows.total === 0 && <p class="empty">Nothing here fits.</p>}
    </div>
  );
}

function Space({ rows }: { rows: number }) {
  return rows > 0 ? <tr aria-hidden="true" style={{ height: `${rows * ROW}px` }} /> : null;
}

interface HeadProps<T> {
  column: ColumnOf<T>;
  order: Order | undefined;
  onOrder: ((order: Order) => void) | undefined;
}

function Head<T>({ column, order, onOrder }: HeadProps<T>) {
  const { sort, label } = column;
  if (!sort || !order || !onOrder) {
    return (
      <th scope="col" class={column.class}>
        {label}
      </th>
    );
  }
  const sorted = order.sort === sort;
  return (
    <th
      scope="col"
      class={column.class}
      aria-sort={sorted ? (order.descending ? "descending" : "ascending") : undefined}
    >
      <button
        type="button"
        class="link"
        onClick={() => onOrder({ sort, descending: sorted ? !order.descending : (column.highest ?? false) })}
      >
        {label}
        <span aria-hidden="true">{sorted ? (order.descending ? " ▾" : " ▴") : ""}</span>
      </button>
    </th>
  );
}
