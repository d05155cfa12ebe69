/** Keys that work anywhere but in a field: 1 to 6 are the views, / searches, p pauses the feed, t turns the colours. */

import { VIEWS } from "./route";
import { nextTheme } from "./theme";

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, select, textarea, dialog *");
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const view = VIEWS[Number(event.key) - 1];
  if (view) {
    location.hash = `/${view}`;
  } else if (event.key === "/") {
    event.preventDefault();
    document.querySelector<HTMLElement>("[data-search]")?.focus();
  } else if (event.key === "p") {
    document.querySelector<HTMLElement>("[data-pause]")?.click();
  } else if (event.key === "t") {
    nextTheme();
  }
});
