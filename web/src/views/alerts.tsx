import { alerts, fetchAlerts } from "../alerts";
import { ask, part, post } from "../api";
import { count, countdown, moment } from "../format";
import { useNow } from "../now";
import { ActButton } from "../parts/act-button";
import { confirm } from "../parts/dialog";
import { ProblemNote } from "../parts/problem";
import { usePolled } from "../polled";
import { useStore, whole } from "../store";
import type { Alert, AlertPage, Silence } from "../types";

const NAMED = 8;

/** What is wrong in all pools, who knows of it, and who is told. */
export default function Alerts() {
  const page = useStore(alerts, whole);
  if (page === null) {
    return (
      <>
        <h1>Alerts</h1>
        <p class="empty">Nothing is looked for, or the service does not answer.</p>
      </>
    );
  }
  const open = page.items.filter((each) => each.state !== "resolved");
  const over = page.items.filter((each) => each.state === "resolved");
  return (
    <>
      <h1>Alerts</h1>
      <section class="panel" aria-label="Alerts that hold">
        <h2>Now {open.length > 0 && <span class="total">{count(open.length)}</span>}</h2>
        {open.length === 0 && <p class="faint">Nothing is wrong, as far as the rules see.</p>}
        <ul class="alerts">
          {open.map((each) => (
            <One key={each.id} alert={each} />
          ))}
        </ul>
      </section>
      <Silences />
      <Destinations page={page} />
      <Over alerts={over} />
    </>
  );
}

function One({ alert }: { alert: Alert }) {
  const more = alert.count > NAMED ? ` and ${count(alert.count - NAMED)} more` : "";
  return (
    <li data-severity={alert.severity} data-state={alert.state}>
      <div class="row wrap">
        <span class="tag" data-severity={alert.severity}>
          {alert.severity}
        </span>
        <b>{alert.message}</b>
        <span class="faint">{alert.pool_id ?? "the process"}</span>
        <span class="gap" />
        <span class="faint">
          since <time dateTime={alert.began_at}>{moment(alert.began_at)}</time>
        </span>
      </div>
      {alert.names.length > 1 && (
        <p class="whose">
          {alert.names.slice(0, NAMED).join(", ")}
          {more}
        </p>
      )}
      <p class="why">{alert.why}</p>
      <p>{alert.advice}</p>
      <div class="row wrap">
        {alert.state === "acknowledged" && (
          <span class="faint">
            {alert.acknowledged_by} knows{alert.note && `: ${alert.note}`}
          </span>
        )}
        {alert.silenced && <span class="faint">silenced</span>}
        {alert.times > 1 && <span class="faint">{count(alert.times)} times</span>}
        {alert.delivery === "failed" && <span data-kind="bad">the message did not arrive</span>}
        <span class="gap" />
        {alert.state === "firing" && (
          <ActButton needs="operate" onClick={() => askToAcknowledge(alert)}>
            Acknowledge…
          </ActButton>
        )}
        <ActButton needs="operate" onClick={() => askToSilence(alert)}>
          Silence…
        </ActButton>
      </div>
    </li>
  );
}

function Over({ alerts: over }: { alerts: Alert[] }) {
  if (over.length === 0) return null;
  return (
    <section class="panel scrolled" tabIndex={0} aria-label="Alerts that are over">
      <h2>Over</h2>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Severity</th>
            <th scope="col">Pool</th>
            <th scope="col">Since</th>
            <th scope="col">Over</th>
          </tr>
        </thead>
        <tbody>
          {over.map((each) => (
            <tr key={each.id}>
              <th scope="row" title={each.why}>
                {each.message}
              </th>
              <td>{each.severity}</td>
              <td>{each.pool_id ?? "the process"}</td>
              <td>{moment(each.began_at)}</td>
              <td>{moment(each.resolved_at)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Silences() {
  const { answer, problem, again } = usePolled<Silence[]>("alerts/silences", 5);
  const now = useNow();
  if (!problem && !answer?.length) return null;
  return (
    <section class="panel scrolled" tabIndex={0} aria-label="Silences">
      <h2>Silences</h2>
      <ProblemNote text={problem} />
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Of</th>
            <th scope="col">By</th>
            <th scope="col">Reason</th>
            <th scope="col" class="number">
              Ends in
            </th>
            <th scope="col">
              <span class="hidden">What can be done</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {answer?.map((each) => (
            <tr key={each.id}>
              <th scope="row">{ofWhat(each)}</th>
              <td>{each.by}</td>
              <td>{each.reason}</td>
              <td class="number">{countdown((Date.parse(each.until) - now) / 1000)}</td>
              <td>
                <div class="row end">
                  <ActButton needs="operate" onClick={() => askToEnd(each, again)}>
                    End…
                  </ActButton>
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const ofWhat = (each: Silence): string =>
  [each.rule, each.pool_id, each.account_id].filter((name) => name !== null).join(" · ") || "everything";

function Destinations({ page }: { page: AlertPage }) {
  if (page.destinations.length === 0) return null;
  return (
    <section class="panel scrolled" tabIndex={0} aria-label="Who is told">
      <h2>Who is told</h2>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Destination</th>
            <th scope="col" class="number">
              Sent
            </th>
            <th scope="col" class="number">
              Wait
            </th>
            <th scope="col" class="number">
              Not sent
            </th>
            <th scope="col">Problem</th>
          </tr>
        </thead>
        <tbody>
          {page.destinations.map((each) => (
            <tr key={each.name}>
              <th scope="row">{each.name}</th>
              <td class="number">{count(each.sent)}</td>
              <td class="number">{count(each.waiting)}</td>
              <td class="number" data-kind={each.failed + each.dropped ? "bad" : undefined}>
                {count(each.failed + each.dropped)}
              </td>
              <td>{each.problem}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

// ------------------------------------------------------------ what can be done

function askToAcknowledge(alert: Alert): void {
  confirm({
    title: `Acknowledge: ${alert.message}?`,
    body: "Nobody is told of it any more, unless it comes to be about others too.",
    verb: "Acknowledge",
    fields: [{ name: "note", label: "Note", hint: "what you do about it" }],
    run: ({ note }) => post(`alerts/${part(alert.id)}/acknowledge`, { note }).then(fetchAlerts),
    done: "it is acknowledged",
  });
}

function askToSilence(alert: Alert): void {
  confirm({
    title: `Silence ${alert.rule}?`,
    body: `Nobody is told of alerts of this rule${alert.pool_id ? ` in ${alert.pool_id}` : ""} for a while. They are shown here all the same.`,
    verb: "Silence",
    fields: [
      { name: "minutes", label: "Minutes", number: true, whole: true, required: true, value: "60" },
      { name: "reason", label: "Reason" },
    ],
    run: ({ minutes, reason }) =>
      post("alerts/silences", {
        seconds: Number(minutes) * 60,
        rule: alert.rule,
        pool_id: alert.pool_id,
        reason,
      }).then(fetchAlerts),
    done: "it is silenced",
  });
}

function askToEnd(each: Silence, again: () => void): void {
  confirm({
    title: `End the silence of ${ofWhat(each)}?`,
    body: "What still fires is told then.",
    verb: "End it",
    run: async () => {
      await ask("DELETE", `alerts/silences/${part(each.id)}`);
      again();
      await fetchAlerts();
    },
    done: "the silence is over",
  });
}
