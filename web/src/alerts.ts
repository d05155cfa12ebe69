/** What is wrong, for the bell and the view of alerts: fetched anew whenever something is told of it. */

import { get } from "./api";
import { Store } from "./store";
import type { AlertPage, Told } from "./types";

const MOST = 300;
const TOGETHER = 200; // milliseconds: many alerts may change at once

/** null before they were fetched, or while nothing is looked for. */
export const alerts = new Store<AlertPage | null>(null);

let timer: number | undefined;

export async function fetchAlerts(): Promise<void> {
  try {
    alerts.set(await get<AlertPage>(`alerts?limit=${MOST}`));
  } catch {
    alerts.set(null); // the badge says when the service does not answer
  }
}

/** Fetch them soon, if this message is about them. */
export function noteAlert(told: Told): void {
  if (told.type.startsWith("alert_")) timer ??= setTimeout(fetchNow, TOGETHER);
}

function fetchNow(): void {
  timer = undefined;
  void fetchAlerts();
}
