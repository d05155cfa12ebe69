import { words } from "../format";

const GOOD = new Set(["idle", "open", "active"]);
const BUSY = new Set(["leased", "reserved"]);
const PASSING = new Set([
  "opening",
  "renewing",
  "checking",
  "paused",
  "suspended",
  "draining",
  "drained",
  "quarantined",
]);

/** A state as a word, with a colour for who sees it. */
export function State({ name }: { name: string }) {
  const kind = GOOD.has(name) ? "good" : BUSY.has(name) ? "busy" : PASSING.has(name) ? "warn" : "bad";
  return (
    <span class="state" data-kind={kind}>
      {words(name)}
    </span>
  );
}
