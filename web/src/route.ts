import { Store } from "./store";

/** The views, by their part of the address; the order is that of the keys 1 to 6. */
export const VIEWS = ["overview", "connections", "accounts", "scaling", "reservations", "events"] as const;

export type View = (typeof VIEWS)[number];

function here(): View {
  const asked = location.hash.replace(/^#\/?/, "");
  return VIEWS.find((each) => each === asked) ?? "overview";
}

/** Which view is shown. */
export const view = new Store<View>(here());

addEventListener("hashchange", () => view.set(here()));
