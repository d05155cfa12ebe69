import { post } from "../api";
import { count } from "../format";
import { ActButton } from "../parts/act-button";
import { confirm } from "../parts/dialog";
import { ProblemNote } from "../parts/problem";
import { usePolled } from "../polled";
import type { Page, Review } from "../types";

const PATH = "reviews";

/** What may be changed of an action before it goes. */
const TEXTS = ["content", "text", "description"];

/** Posts that wait for a person. They are of all pools. */
export default function Reviews() {
  const { answer, problem, again } = usePolled<Page<Review>>(`${PATH}?state=pending&limit=200`, 3);
  return (
    <>
      <h1>Posts that wait for a person</h1>
      <section class="panel scrolled" tabIndex={0} aria-label="Reviews">
        <h2>Reviews {answer && <span class="total">{count(answer.total)}</span>}</h2>
        <ProblemNote text={problem} />
        {answer?.items.length === 0 && (
          <p class="empty">Nothing waits. The content filter holds what it is not sure of until a person decides.</p>
        )}
        {answer && answer.items.length > 0 && (
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">Account</th>
                <th scope="col">Post</th>
                <th scope="col">Why it waits</th>
                <th scope="col">
                  <span class="hidden">What can be done</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {answer.items.map((each) => (
                <tr key={each.id}>
                  <th scope="row">{each.account_id}</th>
                  <td>{textOf(each)}</td>
                  <td>
                    {each.reasons.map((reason) => (
                      <div key={reason.rule + String(reason.span?.start)} title={reason.suggestion}>
                        {reason.message} <span class="faint">{reason.rule}</span>
                      </div>
                    ))}
                  </td>
                  <td>
                    <div class="row end">
                      <ActButton needs="operate" onClick={() => askToApprove(each, again)}>
                        Approve…
                      </ActButton>
                      <ActButton needs="operate" onClick={() => askToEdit(each, again)}>
                        Edit…
                      </ActButton>
                      <ActButton needs="operate" onClick={() => askToReject(each, again)}>
                        Reject…
                      </ActButton>
                    </div>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {answer && answer.total > answer.items.length && (
          <p class="faint">These {count(answer.items.length)} have waited longest.</p>
        )}
      </section>
    </>
  );
}

function fieldOf(review: Review): string | undefined {
  return TEXTS.find((name) => typeof review.parameters[name] === "string");
}

function textOf(review: Review): string {
  const field = fieldOf(review);
  return field === undefined ? JSON.stringify(review.parameters) : String(review.parameters[field]);
}

const NOTE = { name: "note", label: "Why, to be kept", most: 500 };

function askToApprove(review: Review, again: () => void): void {
  confirm({
    title: `Let ${review.account_id} post this?`,
    body: `${textOf(review)} — ${review.owner ? `${review.owner} sends it next.` : "it is sent at once."}`,
    verb: "Approve",
    fields: [NOTE],
    run: ({ note }) => post(`${PATH}/${review.id}/approve`, { note: note ?? "" }).finally(again),
    done: review.owner ? "it may go" : `${review.account_id} has posted it`,
  });
}

function askToEdit(review: Review, again: () => void): void {
  const field = fieldOf(review) ?? "content";
  confirm({
    title: `What is ${review.account_id} to post instead?`,
    body: "It is looked at once more, and sent at once.",
    verb: "Post it",
    fields: [{ name: "text", label: "Text", value: textOf(review), required: true, most: 25_000 }, NOTE],
    run: ({ text, note }) =>
      post(`${PATH}/${review.id}/edit`, { parameters: { [field]: text }, note: note ?? "" }).finally(again),
    done: `${review.account_id} has posted it`,
  });
}

function askToReject(review: Review, again: () => void): void {
  confirm({
    title: "Reject this post?",
    body: `${textOf(review)} — it is not sent.`,
    verb: "Reject",
    fields: [NOTE],
    run: ({ note }) => post(`${PATH}/${review.id}/reject`, { note: note ?? "" }).finally(again),
    done: "it is not sent",
  });
}
