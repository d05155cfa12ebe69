/** Keys that work anywhere but in a field: 1, 2, … views, / searches, p pauses the feed, t turns colours. */

import { addressOf } from "./route";
import { nextTheme } from "./theme";
import { NAMES } from "./views";

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, select, textarea, dialog *");
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const view = NAMES[Number(event.key) - 1];
  if (view) {
    location.hash = addressOf(view);
  } else if (event.key === "/") {
    event.preventDefault();
    document.querySelector<HTMLElement>("[data-search]")?.focus();
  } else if (event.key === "p") {
    document.querySelector<HTMLElement>("[data-pause]")?.click();
  } else if (event.key === "t") {
    nextTheme();
  }
});
