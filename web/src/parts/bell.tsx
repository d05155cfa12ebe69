import { useEffect } from "preact/hooks";
import { alerts, fetchAlerts } from "../alerts";
import { live } from "../live";
import { addressOf } from "../route";
import { useStore, whole } from "../store";

const AGAIN = 30_000; // silences end without a word

/** How many alerts fire that nobody has seen to. */
export function Bell() {
  const page = useStore(alerts, whole);
  const times = useStore(live, (now) => now.times);

  useEffect(() => {
    void fetchAlerts();
    const timer = setInterval(() => document.hidden || void fetchAlerts(), AGAIN);
    return () => clearInterval(timer);
  }, [times]);

  if (page === null) return null;
  const told = page.firing === 1 ? "1 alert fires" : `${page.firing} alerts fire`;
  return (
    <a class="bell" href={addressOf("alerts")} data-firing={page.firing > 0} aria-label={told} title={told}>
      <span aria-hidden="true">▲ {page.firing}</span>
      <span class="hidden" role="status">
        {page.firing > 0 ? told : ""}
      </span>
    </a>
  );
}
