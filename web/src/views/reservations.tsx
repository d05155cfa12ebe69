import { ask, part } from "../api";
import { count, countdown, duration } from "../format";
import { useNow } from "../now";
import { ActButton } from "../parts/act-button";
import { confirm } from "../parts/dialog";
import { ProblemNote } from "../parts/problem";
import { usePolled } from "../polled";
import type { Known } from "../pools";
import { PRIORITIES, type Page, type Reservation } from "../types";
import { Explain } from "./explain";

/** Who waits and why, and what is kept for whom. */
export function Reservations({ pool, known }: { pool: string; known: Known }) {
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

function Line({ known: { status } }: { known: Known }) {
  return (
    <section class="panel">
      <h2>Waiting line</h2>
      <p>
        {status.queued === 0
          ? "Nobody waits."
          : `${count(status.queued)} wait; the first of them for ${duration(status.longest_wait)}.`}
      </p>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Priority</th>
            <th scope="col" class="number">
              wait
            </th>
            <th scope="col" class="number">
              are served
            </th>
          </tr>
        </thead>
        <tbody>
          {PRIORITIES.map((name, index) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="number">{count(status.queued_by_priority[index + 1])}</td>
              <td class="number">{count(status.active_by_priority[index + 1])}</td>
            </tr>
          )).reverse()}
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
      <h2>Reservations {answer && <span class="faint">{count(answer.total)}</span>}</h2>
      <ProblemNote text={problem} />
      {answer?.items.length === 0 && <p class="faint">Nothing is reserved.</p>}
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
                  <ActButton
                    needs="execute"
                    onClick={() =>
                      confirm({
                        title: `End the reservation for ${each.reserved_for}?`,
                        body: `A connection of ${each.account_id} goes to whoever waits for it. A lease that runs is not touched.`,
                        verb: "End it",
                        run: () => ask("DELETE", `${path}/${part(each.id)}`).then(again),
                        done: "the reservation is over",
                      })
                    }
                  >
                    End…
                  </ActButton>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
