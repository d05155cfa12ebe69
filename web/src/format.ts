const NUMBER = new Intl.NumberFormat("en-GB");
const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const NOTHING = "–";

type Maybe = number | null | undefined;

const missing = (value: Maybe): value is null | undefined => value === null || value === undefined;

export const count = (value: Maybe): string => (missing(value) ? NOTHING : NUMBER.format(value));

/** Three digits that matter, without an exponent. */
export function rate(value: Maybe): string {
  if (missing(value)) return NOTHING;
  return value >= 100
    ? NUMBER.format(Math.round(value))
    : String(Number(value.toPrecision(value < 1 ? 2 : 3)));
}

export const percent = (share: Maybe): string =>
  missing(share) ? NOTHING : `${Number((share * 100).toPrecision(share < 0.1 ? 2 : 3))}%`;

/** A duration in the two units that matter. */
export function duration(seconds: Maybe): string {
  if (missing(seconds)) return NOTHING;
  if (seconds === 0) return "0 s";
  if (seconds < 0.9995) return `${Number((seconds * 1000).toPrecision(seconds < 0.1 ? 2 : 3))} ms`;
  if (seconds < 60) return `${Number(seconds.toPrecision(seconds < 10 ? 2 : 3))} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** A countdown: 4:05, or 1:02:03. */
export function countdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(left / 3600);
  const rest = `${hours ? two(Math.floor((left % 3600) / 60)) : Math.floor(left / 60)}:${two(left % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

export function bytes(value: Maybe): string {
  if (missing(value)) return NOTHING;
  const units = ["B", "KB", "MB", "GB"];
  let unit = 0;
  let left = value;
  while (left >= 1000 && unit < units.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return `${Number(left.toPrecision(3))} ${units[unit]}`;
}

export const time = (at: string | undefined): string => (at ? TIME.format(new Date(at)) : NOTHING);

/** A time, with its day where that is another one than today. */
export function moment(at: string | null): string {
  if (!at) return NOTHING;
  const then = new Date(at);
  return (then.toDateString() === new Date().toDateString() ? TIME : MOMENT).format(then);
}

export const words = (name: string): string => name.replaceAll("_", " ");
