import { Store } from "./store";
import { NAMES, type View } from "./views";

export interface Place {
  view: View;
  /** What the view is to begin with: a filter, say. */
  asked: URLSearchParams;
}

function here(): Place {
  const [name, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: NAMES.find((each) => each === name) ?? "overview", asked: new URLSearchParams(query) };
}

/** Which view is shown. */
export const place = new Store<Place>(here());

/** Where a view is, with what it is to begin with. */
export function addressOf(view: View, asked: Record<string, string> = {}): string {
  const query = new URLSearchParams(asked).toString();
  return `#/${view}${query && `?${query}`}`;
}

addEventListener("hashchange", () => place.set(here()));
