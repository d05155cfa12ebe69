import type { ComponentType } from "preact";
import { lazy } from "./parts/lazy";
import type { Known } from "./pools";

export interface ViewProps {
  pool: string;
  known: Known;
}

interface OneView {
  /** Fetch its code, if that is not here yet. */
  load: () => Promise<unknown>;
  Show: ComponentType<ViewProps>;
}

function view(load: () => Promise<{ default: ComponentType<ViewProps> }>): OneView {
  return { load, Show: lazy(load) };
}

/**
 * The views, by their part of the address, in the order of the tabs and of the keys 1, 2, …
 * Another view is a file in views/ with a component as its default, and a line here.
 */
export const VIEWS = {
  overview: view(() => import("./views/overview")),
  connections: view(() => import("./views/connections")),
  accounts: view(() => import("./views/accounts")),
  scaling: view(() => import("./views/scaling")),
  reservations: view(() => import("./views/reservations")),
  events: view(() => import("./views/events")),
  alerts: view(() => import("./views/alerts")),
  reports: view(() => import("./views/reports")),
  reviews: view(() => import("./views/reviews")),
};

export type View = keyof typeof VIEWS;

export const NAMES = Object.keys(VIEWS) as View[];
