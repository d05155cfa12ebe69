import { live } from "../live";
import { useNow } from "../now";
import { useStore, whole } from "../store";

/** Whether what is shown is as it is now. */
export function Badge() {
  const now = useStore(live, whole);
  const time = useNow();
  const left = Math.ceil((now.again - time) / 1000);
  const wait = now.state === "reconnecting" && left > 1 ? ` in ${left} s` : "";
  return (
    <span class="badge" data-state={now.state}>
      <span class="dot" aria-hidden="true" />
      <span role="status">{now.state}</span>
      {wait}
    </span>
  );
}
