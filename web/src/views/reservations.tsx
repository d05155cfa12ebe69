import { ask, part } from "../api";
import { count, countdown, duration } from "../format";
import { useNow } from "../now";
import { ActButton } from "../parts/act-button";
import { confirm } from "../parts/dialog";
import { ProblemNote } from "../parts/problem";
import { usePolled } from "../polled";
import { PRIORITIES, type Page, type Reservation } from "../types";
import type { ViewProps } from "../views";
import { Explain } from "./explain";
import { askToExtend, askToReserve } from "./reserve";

/** Who waits and why, and what is kept for whom. */
export default function Reservations({ pool, known }: ViewProps) {
  return (
    <>
      <h1>Reservations and the waiting line</h1>
      <div class="columns">
        <Line known={known} />
        <Explain key={pool} pool={pool} />
      </div>
      <Kept pool={pool} />
    </>
  );
}

function Line({ known: { status } }: Pick<ViewProps, "known">) {
  const numbers = [status.queued_by_priority, status.active_by_priority].flatMap(Object.values<number>);
  const most = Math.max(1, ...numbers);
  const share = (number: number | undefined) => `${((number ?? 0) / most) * 100}%`;
  return (
    <section class="panel">
      <h2>Waiting line</h2>
      <p class={status.queued === 0 ? "faint" : undefined}>
        {status.queued === 0
          ? "Nobody waits."
          : `${count(status.queued)} wait; the first of them for ${duration(status.longest_wait)}.`}
      </p>
      <table class="plain line">
        <thead>
          <tr>
            <th scope="col">Priority</th>
            <th scope="col" class="number">
              Wait
            </th>
            <th scope="col" class="number">
              Served
            </th>
            <th scope="col">
              <span class="hidden">As bars</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {PRIORITIES.map((name, index) => {
            const waits = status.queued_by_priority[index + 1];
            const served = status.active_by_priority[index + 1];
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class={`number ${waits ? "" : "faint"}`} data-kind={waits ? "warn" : undefined}>
                  {count(waits)}
                </td>
                <td class={`number ${served ? "" : "faint"}`} data-kind={served ? "busy" : undefined}>
                  {count(served)}
                </td>
                <td class="two-bars" aria-hidden="true">
                  <span data-kind="warn" style={{ width: share(waits) }} />
                  <span data-kind="busy" style={{ width: share(served) }} />
                </td>
              </tr>
            );
          }).reverse()}
        </tbody>
      </table>
    </section>
  );
}

function Kept({ pool }: { pool: string }) {
  const path = `pools/${part(pool)}/reservations`;
  const { answer, problem, again } = usePolled<Page<Reservation>>(`${path}?limit=500`, 2);
  const now = useNow();
  return (
    <section class="panel scrolled" tabIndex={0} aria-label="Reservations">
      <div class="row">
        <h2>Reservations {answer && <span class="total">{count(answer.total)}</span>}</h2>
        <span class="gap" />
        <ActButton class="main" needs="execute" onClick={() => askToReserve(path, again)}>
          Reserve…
        </ActButton>
      </div>
      <ProblemNote text={problem} />
      {answer?.items.length === 0 && (
        <p class="empty">
          Nothing is reserved. A reservation keeps a connection for one owner, a campaign say, for a while.
        </p>
      )}
      {answer && answer.items.length > 0 && (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">For</th>
              <th scope="col">Account</th>
              <th scope="col">Priority</th>
              <th scope="col">Connection</th>
              <th scope="col" class="number">
                Ends in
              </th>
              <th scope="col">
                <span class="hidden">What can be done</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {answer.items.map((each) => (
              <tr key={each.id}>
                <th scope="row">{each.reserved_for}</th>
                <td>{each.account_id}</td>
                <td>{PRIORITIES[each.priority - 1]}</td>
                <td>{each.connection_id ?? <span class="faint">none yet</span>}</td>
                <td class="number">{countdown((Date.parse(each.expires_at) - now) / 1000)}</td>
                <td>
                  <div class="row end">
                    <ActButton needs="execute" onClick={() => askToExtend(path, each, again)}>
                      Extend…
                    </ActButton>
                    <ActButton needs="execute" onClick={() => askToEnd(path, each, again)}>
                      End…
                    </ActButton>
                  </div>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {answer && answer.total > answer.items.length && (
        <p class="faint">These {count(answer.items.length)} end first.</p>
      )}
    </section>
  );
}

function askToEnd(path: string, each: Reservation, again: () => void): void {
  confirm({
    title: `End the reservation for ${each.reserved_for}?`,
    body: `A connection of ${each.account_id} goes to whoever waits for it. A lease that runs is not touched.`,
    verb: "End it",
    run: () => ask("DELETE", `${path}/${part(each.id)}`).then(again),
    done: "the reservation is over",
  });
}
