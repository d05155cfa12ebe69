import { useEffect } from "preact/hooks";
import { logOut, who } from "./api";
import { words } from "./format";
import { begin, end } from "./live";
import { Badge } from "./parts/badge";
import { Dialog } from "./parts/dialog";
import { Notice } from "./parts/notice";
import { choose, chosen, pools } from "./pools";
import { addressOf, place } from "./route";
import { useStore, whole } from "./store";
import { nextTheme, theme } from "./theme";
import { NAMES, VIEWS } from "./views";
import { EmergencyButton, ModeBanner } from "./views/emergency";

/** The page of somebody who is logged in. */
export function Shell() {
  const every = useStore(pools, whole);
  const pool = useStore(chosen, whole);
  const { view } = useStore(place, whole);
  const known = pool === null ? undefined : every.get(pool);
  const { Show } = VIEWS[view];

  useEffect(() => {
    begin();
    return end;
  }, []);
  useEffect(() => {
    document.title = `${words(view)} · ${pool ?? ""} · twikit-pool`;
    document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [view, pool]);

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
          {NAMES.map((each, index) => (
            <a
              key={each}
              href={addressOf(each)}
              title={`key ${index + 1}`}
              aria-current={each === view ? "page" : undefined}
              onPointerEnter={() => fetchAhead(each)}
              onFocus={() => fetchAhead(each)}
            >
              {each}
            </a>
          ))}
        </nav>
      </header>
      {pool !== null && known && <ModeBanner pool={pool} mode={known.status.mode} />}
      <main id="content" tabIndex={-1} data-view={view}>
        {pool !== null && known ? (
          <Show key={view} pool={pool} known={known} />
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

/** A view that is pointed at will be wanted; whether it can be had is told when it is. */
function fetchAhead(view: keyof typeof VIEWS): void {
  void VIEWS[view].load().catch(() => undefined);
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
        {me?.name}
        <span class="tag">{me?.scope}</span>
      </span>
      <button type="button" onClick={() => void logOut()}>
        Log out
      </button>
    </>
  );
}
