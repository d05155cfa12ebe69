import { part, post } from "../api";
import { confirm } from "../parts/dialog";

/** Ask for a reason and a time, and leave an account alone. */
export function askToQuarantine(pool: string, account: string, done: () => void): void {
  confirm({
    title: `Leave ${account} alone?`,
    body: "This pool uses it no more for a while; its connections close as their leases end.",
    verb: "Quarantine",
    fields: [
      { name: "reason", label: "Reason", required: true },
      { name: "minutes", label: "Minutes", number: true, value: "30", required: true },
    ],
    run: (given) =>
      post(`pools/${part(pool)}/accounts/${part(account)}/quarantine`, {
        reason: given["reason"],
        seconds: Number(given["minutes"]) * 60,
      }).then(done),
    done: `${account} is left alone`,
  });
}
