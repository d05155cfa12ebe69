import { count, countdown } from "../format";
import { useNow } from "../now";
import { Bar } from "./bar";

interface Props {
  endpoint: string;
  left: number | null;
  limit: number | null;
  returnsIn: number | null;
  /** When this was answered, in milliseconds since 1970. */
  asOf: number;
  beside?: string;
}

/** Calls left on an endpoint, and when more come. */
export function BudgetBar({ endpoint, left, limit, returnsIn, asOf, beside = "" }: Props) {
  const now = useNow();
  const wait = returnsIn === null ? null : returnsIn - (now - asOf) / 1000;
  const reset = wait === null ? "" : wait > 0 ? `more in ${countdown(wait)}` : "more now";
  const known = left !== null && limit !== null && limit > 0;
  const text = known
    ? `${count(left)} of ${count(limit)}`
    : left === null
      ? "no limit known"
      : `${count(left)} left`;
  return (
    <li class="budget">
      <span class="name">{endpoint}</span>
      <Bar
        label={`${endpoint}: calls left`}
        share={known ? Math.min(1, left / limit) : left === 0 ? 0 : 1}
        text={text}
      />
      <span class="faint number">{reset}</span>
      {beside && <span class="faint why">{beside}</span>}
    </li>
  );
}
