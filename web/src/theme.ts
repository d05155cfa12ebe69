import { Store } from "./store";

export type Theme = "auto" | "light" | "dark";

const KEY = "twikit-pool.theme";
const NEXT: Record<Theme, Theme> = { auto: "dark", dark: "light", light: "auto" };

function kept(): Theme {
  const found = localStorage.getItem(KEY);
  return found === "light" || found === "dark" ? found : "auto";
}

function show(chosen: Theme): void {
  document.documentElement.dataset["theme"] = chosen;
}

export const theme = new Store<Theme>(kept());

/** Goes up whenever colours change, be it by the switch or by the system: charts draw anew. */
export const colours = new Store(0);

export function nextTheme(): void {
  const next = NEXT[theme.get()];
  localStorage.setItem(KEY, next);
  show(next);
  theme.set(next);
  colours.set(colours.get() + 1);
}

show(theme.get());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => colours.set(colours.get() + 1));
