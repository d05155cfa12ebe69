import { part, post } from "../api";
import { feed } from "../feed";
import { countdown } from "../format";
import { useNow } from "../now";
import { ActButton } from "../parts/act-button";
import { confirm } from "../parts/dialog";
import { useStore, whole } from "../store";

const TOLD: Record<string, string> = {
  emergency: "Emergency stop: nothing below CRITICAL is sent.",
  suspended: "Suspended: nobody is served, who comes waits.",
  draining: "Draining: who comes is refused, running leases end.",
  drained: "Drained: who comes is refused, every connection is closed.",
  closed: "This pool was shut down.",
};

/** Stop everything but what is critical. */
export function EmergencyButton({ pool, mode }: { pool: string; mode: string }) {
  const path = `pools/${part(pool)}/emergency-stop`;
  return (
    <ActButton
      class="danger"
      needs="operate"
      cannot={mode === "emergency" ? "it is stopped already" : ""}
      onClick={() =>
        confirm({
          title: `Emergency stop of ${pool}?`,
          body: "At once, no call below CRITICAL starts, and who waits is refused. It ends by itself, or with Resume.",
          verb: "Stop now",
          danger: true,
          fields: [
            { name: "reason", label: "Reason", required: true },
            { name: "minutes", label: "Minutes (empty: as the pool is set)", number: true },
          ],
          run: (given) =>
            post(path, {
              reason: given["reason"],
              ...(given["minutes"] ? { pause: Number(given["minutes"]) * 60 } : {}),
            }),
          done: `${pool} is stopped`,
        })
      }
    >
      Emergency stop
    </ActButton>
  );
}

/** What was said of the stop, if that was heard, and for how long it still is. */
function WhyStopped({ pool }: { pool: string }) {
  const now = useNow();
  const stop = useStore(feed, whole).find((each) => each.type === "emergency_stop" && each.pool_id === pool);
  if (!stop) return null;
  const left = (Date.parse(stop.at ?? "") - now) / 1000 + Number(stop["seconds"]);
  return (
    <>
      {String(stop["reason"])}
      {left > 0 && `, for ${countdown(left)} more`}
    </>
  );
}

/** Why a pool does not serve, and the way back. */
export function ModeBanner({ pool, mode }: { pool: string; mode: string }) {
  const told = TOLD[mode];
  if (!told) return null;
  return (
    <div class="banner" role="alert" data-mode={mode}>
      <span>
        {told} {mode === "emergency" && <WhyStopped pool={pool} />}
      </span>
      {mode !== "closed" && mode !== "draining" && (
        <ActButton
          needs="operate"
          onClick={() =>
            confirm({
              title: `Resume ${pool}?`,
              body: "Everyone is served again, from now on.",
              verb: "Resume",
              run: () => post(`pools/${part(pool)}/resume`),
              done: `${pool} serves again`,
            })
          }
        >
          Resume…
        </ActButton>
      )}
    </div>
  );
}
