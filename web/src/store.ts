import { useEffect, useState } from "preact/hooks";

/** A value that those who use it are told of when it changes. */
export class Store<T> {
  private listeners = new Set<() => void>();

  constructor(private value: T) {}

  get(): T {
    return this.value;
  }

  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const each of [...this.listeners]) each();
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** What `pick` takes of a store; the component is drawn again when that changes. */
export function useStore<T, S>(store: Store<T>, pick: (value: T) => S): S {
  const [, draw] = useState({});
  const picked = pick(store.get());
  useEffect(() => {
    let before = pick(store.get());
    if (!Object.is(before, picked)) draw({});
    return store.subscribe(() => {
      const now = pick(store.get());
      if (!Object.is(now, before)) {
        before = now;
        draw({});
      }
    });
  }, [store, pick]);
  return picked;
}

export const whole = <T>(value: T): T => value;
