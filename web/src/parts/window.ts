import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, Problem } from "../api";
import { live } from "../live";
import { useStore } from "../store";
import type { Page } from "../types";

/** Rows that are asked for together. */
export const CHUNK = 100;

const SECONDS = 2;

const times = (now: { times: number }) => now.times;

export interface Rows<T> {
  total: number | undefined;
  at: (index: number) => T | undefined;
  /** When that row was answered, in milliseconds since 1970. */
  asOf: (index: number) => number;
  problem: string;
  show: (first: number, last: number) => void;
  again: () => void;
}

interface Chunk<T> {
  items: T[];
  asOf: number;
}

/**
 * The rows of a long list that are seen, and no others: the service sorts, filters and counts, so that five
 * thousand rows cost what fifty do. What is seen is asked for again every two seconds.
 */
export function useRows<T>(path: string): Rows<T> {
  const chunks = useRef(new Map<number, Chunk<T>>());
  const seen = useRef({ first: 0, last: 0 });
  const mine = useRef(path);
  const [total, setTotal] = useState<number | undefined>(undefined);
  const [problem, setProblem] = useState("");
  const [, draw] = useState({});
  const connected = useStore(live, times);

  const load = useCallback(
    async (chunk: number) => {
      try {
        const sign = path.includes("?") ? "&" : "?";
        const page = await get<Page<T>>(`${path}${sign}offset=${chunk * CHUNK}&limit=${CHUNK}`);
        if (mine.current !== path) return;
        chunks.current.set(chunk, { items: page.items, asOf: Date.now() });
        setTotal(page.total);
        setProblem("");
        draw({});
      } catch (error) {
        if (mine.current === path) setProblem(error instanceof Problem ? error.message : String(error));
      }
    },
    [path],
  );

  const loadSeen = useCallback(
    (anew: boolean) => {
      const { first, last } = seen.current;
      for (let chunk = Math.floor(first / CHUNK); chunk <= Math.floor(last / CHUNK); chunk += 1) {
        if (anew || !chunks.current.has(chunk)) void load(chunk);
      }
    },
    [load],
  );

  useEffect(() => {
    mine.current = path;
    chunks.current.clear();
    seen.current = { first: 0, last: 0 };
    loadSeen(true);
    const timer = setInterval(() => {
      if (!document.hidden) loadSeen(true);
    }, SECONDS * 1000);
    return () => clearInterval(timer);
  }, [path, loadSeen, connected]);

  const chunkOf = (index: number) => chunks.current.get(Math.floor(index / CHUNK));
  return {
    total,
    at: (index) => chunkOf(index)?.items[index % CHUNK],
    asOf: (index) => chunkOf(index)?.asOf ?? 0,
    problem,
    show: (first, last) => {
      if (first === seen.current.first && last === seen.current.last) return;
      seen.current = { first, last };
      loadSeen(false);
    },
    again: () => loadSeen(true),
  };
}
