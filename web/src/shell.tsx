import { useEffect } from "preact/hooks";
import { logOut, who } from "./api";
import { words } from "./format";
import { begin, end } from "./live";
import { Badge } from "./parts/badge";
import { Dialog } from "./parts/dialog";
import { Notice } from "./parts/notice";
import { choose, chosen, pools, type Known } from "./pools";
import { VIEWS, view, type View } from "./route";
import { useStore, whole } from "./store";
import { nextTheme, theme } from "./theme";
import { Accounts } from "./views/accounts";
import { Connections } from "./views/connections";
import { EmergencyButton, ModeBanner } from "./views/emergency";
import { Events } from "./views/events";
import { Overview } from "./views/overview";
import { Reservations } from "./views/reservations";
import { Scaling } from "./views/scaling";

/** The page of somebody who is logged in. */
export function Shell() {
  const every = useStore(pools, whole);
  const pool = useStore(chosen, whole);
  const shown = useStore(view, whole);
  const known = pool === null ? undefined : every.get(pool);

  useEffect(() => {
    begin();
    return end;
  }, []);
  useEffect(() => {
    document.title = `${words(shown)} · ${pool ?? ""} · twikit-pool`;
  }, [shown, pool]);

  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        To the content
      </a>
      <header class="top">
        <div class="row wrap">
          <strong class="brand">twikit-pool</strong>
          <PoolSwitch names={[...every.keys()]} pool={pool} />
          <Badge />
          <span class="gap" />
          {pool !== null && known && <EmergencyButton pool={pool} mode={known.status.mode} />}
          <ThemeSwitch />
          <Me />
        </div>
        <nav aria-label="Views">
          {VIEWS.map((each) => (
            <a key={each} href={`#/${each}`} aria-current={each === shown ? "page" : undefined}>
              {each}
            </a>
          ))}
        </nav>
      </header>
      {pool !== null && known && <ModeBanner pool={pool} mode={known.status.mode} />}
      <main id="content" tabIndex={-1} data-view={shown}>
        {pool !== null && known ? (
          <Shown view={shown} pool={pool} known={known} />
        ) : (
          <>
            <h1 class="hidden">twikit-pool</h1>
            <p class="empty">Waiting for the service to tell of its pools…</p>
          </>
        )}
      </main>
      <Dialog />
      <Notice />
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault(); // the address tells the view
  document.getElementById("content")?.focus();
}

function Shown({ view: shown, pool, known }: { view: View; pool: string; known: Known }) {
  switch (shown) {
    case "overview":
      return <Overview pool={pool} known={known} />;
    case "connections":
      return <Connections pool={pool} />;
    case "accounts":
      return <Accounts pool={pool} />;
    case "scaling":
      return <Scaling pool={pool} />;
    case "reservations":
      return <Reservations pool={pool} known={known} />;
    case "events":
      return <Events pool={pool} />;
  }
}

function PoolSwitch({ names, pool }: { names: string[]; pool: string | null }) {
  return (
    <select
      aria-label="Pool"
      value={pool ?? ""}
      disabled={names.length === 0}
      onChange={(event) => choose(event.currentTarget.value)}
    >
      {names.map((each) => (
        <option key={each}>{each}</option>
      ))}
    </select>
  );
}

const SIGNS = { auto: "◐", light: "○", dark: "●" };

function ThemeSwitch() {
  const now = useStore(theme, whole);
  return (
    <button
      type="button"
      class="icon"
      aria-label={`Colours: ${now}`}
      title={`Colours: ${now}`}
      onClick={nextTheme}
    >
      <span aria-hidden="true">{SIGNS[now]}</span>
    </button>
  );
}

function Me() {
  const me = useStore(who, whole);
  return (
    <>
      <span class="me faint" title={`token ${me?.token_id ?? ""}`}>
        {me?.name}, may {me?.scope}
      </span>
      <button type="button" onClick={() => void logOut()}>
        Log out
      </button>
    </>
  );
}
