import { useState } from "preact/hooks";
import { logIn } from "../api";
import { ProblemNote } from "../parts/problem";

/** Exchange a token for a log-in. The token is kept nowhere in the page. */
export function LogIn() {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget as HTMLFormElement).get("token") ?? "").trim();
    setBusy(true);
    try {
      await logIn(token);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  }

  return (
    <main class="log-in">
      <form class="panel" onSubmit={(event) => void submit(event)}>
        <h1 class="brand">twikit-pool</h1>
        <label>
          Token
          <input
            name="token"
            type="password"
            required
            maxLength={200}
            autoFocus
            autoComplete="off"
            placeholder="tp_…"
          />
        </label>
        <ProblemNote text={problem} />
        <button type="submit" class="main" disabled={busy}>
          Log in
        </button>
        <p class="faint">
          Make one with
          <code>twikit-pool tokens create dashboard --scope operate</code>
        </p>
      </form>
    </main>
  );
}
