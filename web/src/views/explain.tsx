import { useState } from "preact/hooks";
import { part, post } from "../api";
import { ProblemNote } from "../parts/problem";
import { PRIORITIES, type Explained } from "../types";

/** Why would a request wait? Nothing is asked for. */
export function Explain({ pool }: { pool: string }) {
  const [told, setTold] = useState<Explained | null>(null);
  const [problem, setProblem] = useState("");

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? "").trim() || null;
    try {
      const wish = {
        action: text("action"),
        account_id: text("account"),
        priority: Number(text("priority")),
      };
      setTold(await post<Explained>(`pools/${part(pool)}/explain`, wish));
      setProblem("");
    } catch (error) {
      setTold(null);
      setProblem(error instanceof Error ? error.message : String(error));
    }
  }

  return (
    <section class="panel">
      <h2>Why would it wait?</h2>
      <form class="fields" onSubmit={(event) => void submit(event)}>
        <label>
          Action
          <input name="action" placeholder="post_tweet, or any" autoComplete="off" maxLength={100} />
        </label>
        <label>
          Account
          <input name="account" placeholder="any" autoComplete="off" maxLength={64} />
        </label>
        <label>
          Priority
          <select name="priority">
            {PRIORITIES.map((name, index) => (
              <option key={name} value={index + 1} selected={name === "NORMAL"}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <button type="submit">Explain</button>
      </form>
      <ProblemNote text={problem} />
      <p role="status">{told?.sentence ?? ""}</p>
      {!told && !problem && (
        <p class="faint">It is only told what such a request would wait for now. Nothing is asked for.</p>
      )}
    </section>
  );
}
