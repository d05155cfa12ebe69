import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, Problem } from "./api";
import { live } from "./live";
import { useStore } from "./store";

const times = (now: { times: number }) => now.times;

export interface Polled<T> {
  answer: T | undefined;
  problem: string;
  again: () => void;
}

/** What a path answers, asked again each so many seconds while the page is seen, and after each reconnect. */
export function usePolled<T>(path: string | null, seconds: number): Polled<T> {
  const [answer, setAnswer] = useState<T | undefined>(undefined);
  const [problem, setProblem] = useState("");
  const connected = useStore(live, times);
  const latest = useRef(0);

  const fetchNow = useCallback(async () => {
    if (path === null || document.hidden) return;
    const mine = ++latest.current;
    try {
      const found = await get<T>(path);
      if (mine !== latest.current) return;
      setAnswer(found);
      setProblem("");
    } catch (error) {
      if (mine === latest.current) setProblem(error instanceof Problem ? error.message : String(error));
    }
  }, [path]);

  useEffect(() => {
    setAnswer(undefined);
  }, [path?.split("?")[0]]);

  useEffect(() => {
    void fetchNow();
    const timer = setInterval(() => void fetchNow(), seconds * 1000);
    return () => {
      latest.current += 1;
      clearInterval(timer);
    };
  }, [fetchNow, seconds, connected]);

  return { answer, problem, again: () => void fetchNow() };
}
