import { Store, useStore, whole } from "./store";

/** The time in milliseconds, each second anew. One timer moves all countdowns of the page. */
const now = new Store(Date.now());

setInterval(() => {
  if (!document.hidden) now.set(Date.now());
}, 1000);
document.addEventListener("visibilitychange", () => now.set(Date.now()));

export const useNow = (): number => useStore(now, whole);
