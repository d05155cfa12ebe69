import { count, countdown } from "../format";
import { useNow } from "../now";
import type { EndpointBudget } from "../types";
import { Bar } from "./bar";

interface Left {
  endpoint: string;
  left: number | null;
  limit: number | null;
  returnsIn: number | null;
  /** When this was answered, in milliseconds since 1970. */
  asOf: number;
}

interface Props extends Left {
  beside?: string;
}

/** Why nothing may be sent; a probe under way is over in a moment, and no reason. */
export function whyShut(budget: EndpointBudget): string {
  return budget.opens_in === null && budget.in_flight > 0 ? "" : budget.why;
}

/** Share, and the same in words. */
function told(left: number | null, limit: number | null): [share: number, text: string] {
  if (left === null) return [1, "no limit known"];
  if (limit === null || limit <= 0) return [left === 0 ? 0 : 1, `${count(left)} left`];
  return [Math.min(1, left / limit), `${count(left)} of ${count(limit)}`];
}

/** The time until more comes, as it runs. */
function Returning({ returnsIn, asOf }: { returnsIn: number; asOf: number }) {
  const wait = returnsIn - (useNow() - asOf) / 1000;
  return <>{wait > 0 ? countdown(wait) : "now"}</>;
}

/** Calls left on an endpoint, and when more come. */
export function BudgetBar({ endpoint, left, limit, returnsIn, asOf, beside = "" }: Props) {
  const [share, text] = told(left, limit);
  return (
    <li class="budget">
      <span class="name">{endpoint}</span>
      <Bar label={`${endpoint}: calls left`} share={share} text={text} />
      <span class="faint number">
        {returnsIn !== null && (
          <>
            more in <Returning returnsIn={returnsIn} asOf={asOf} />
          </>
        )}
      </span>
      {beside && <span class="faint why">{beside}</span>}
    </li>
  );
}

/** The same in a cell of a table. */
export function BudgetCell({ endpoint, left, limit, returnsIn, asOf }: Left) {
  const [share, text] = told(left, limit);
  return (
    <span class="cell-budget" title={`${endpoint}: ${text}`}>
      <span class="name">{endpoint}</span>
      <Bar label={`${endpoint}: calls left`} share={share} text={text} />
      <span class="faint number">
        {returnsIn !== null && <Returning returnsIn={returnsIn} asOf={asOf} />}
      </span>
    </span>
  );
}
