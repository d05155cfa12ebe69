import { Store } from "./store";
import type { Scope, Who } from "./types";

/** Who is logged in: null is nobody, undefined is not known yet. */
export const who = new Store<Who | null | undefined>(undefined);

/** An answer that is a problem, as the service words it. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
  ) {
    super(detail || title);
  }
}

const SCOPES: Scope[] = ["read", "execute", "operate", "admin"];

/** Why the token may not do this; "" when it may. */
export function whyNot(needed: Scope): string {
  const scope = who.get()?.scope;
  if (scope !== undefined && SCOPES.indexOf(scope) >= SCOPES.indexOf(needed)) return "";
  return `your token may ${scope ?? "nothing"}; this takes one that may ${needed}`;
}

/** Ask the service. Addresses are relative, so that it may be served under a path. */
export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const csrf = who.get()?.csrf;
  if (csrf && method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(`v1/${path}`, {
      method,
      headers,
      credentials: "same-origin",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Problem(0, "the service does not answer", "the service does not answer: is it running?");
  }
  if (!answer.ok) {
    const told = (await answer.json().catch(() => ({}))) as { title?: string; detail?: string };
    if (answer.status === 401) who.set(null);
    throw new Problem(answer.status, told.title ?? `status ${answer.status}`, told.detail ?? "");
  }
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const get = <T>(path: string): Promise<T> => ask<T>("GET", path);
export const post = <T>(path: string, body?: unknown): Promise<T> => ask<T>("POST", path, body);

/** A part of a path; ids have `#` and `/` in them. */
export const part = encodeURIComponent;

export async function knowMe(): Promise<void> {
  try {
    who.set(await get<Who>("session"));
  } catch (problem) {
    if (problem instanceof Problem && problem.status === 401) return;
    throw problem;
  }
}

export async function logIn(token: string): Promise<void> {
  who.set(await post<Who>("session", { token }));
}

export async function logOut(): Promise<void> {
  await ask("DELETE", "session").catch(() => undefined);
  who.set(null);
}
