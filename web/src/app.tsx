import { useEffect, useState } from "preact/hooks";
import { knowMe, who } from "./api";
import { Shell } from "./shell";
import { useStore, whole } from "./store";
import { LogIn } from "./views/log-in";

const AGAIN = 2000;

/** The log-in, or the page; while the service does not answer, that. */
export function App() {
  const me = useStore(who, whole);
  const [problem, setProblem] = useState("");

  useEffect(() => {
    let timer: number | undefined;
    const look = () =>
      knowMe().catch((error: unknown) => {
        setProblem(error instanceof Error ? error.message : String(error));
        timer = setTimeout(() => void look(), AGAIN);
      });
    void look();
    return () => clearTimeout(timer);
  }, []);

  if (me === undefined) {
    return (
      <main class="log-in">
        <p role="status">{problem}</p>
      </main>
    );
  }
  return me === null ? <LogIn /> : <Shell />;
}
