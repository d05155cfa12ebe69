import { part, post } from "../api";
import { ActButton } from "../parts/act-button";
import { confirm } from "../parts/dialog";

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

/** Why a pool does not serve, and the way back. */
export function ModeBanner({ pool, mode }: { pool: string; mode: string }) {
  const told = TOLD[mode];
  if (!told) return null;
  return (
    <div class="banner" role="alert" data-mode={mode}>
      <span>{told}</span>
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
