import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

/** A component whose code is fetched when it is shown first. */
export function lazy<P extends object>(
  load: () => Promise<{ default: ComponentType<P> }>,
): ComponentType<P> {
  let Loaded: ComponentType<P> | undefined;

  return function Lazy(props: P) {
    const [failed, setFailed] = useState(false);
    const [, draw] = useState({});

    useEffect(() => {
      if (Loaded) return undefined;
      let wanted = true;
      load().then(
        (found) => {
          Loaded = found.default;
          if (wanted) draw({});
        },
        () => wanted && setFailed(true),
      );
      return () => {
        wanted = false;
      };
    }, []);

    if (Loaded) return <Loaded {...props} />;
    return failed ? <Missing /> : <p class="loading" aria-busy="true" />;
  };
}

/** Its name carries a hash of what is in it, so another version of the service does not have it. */
function Missing() {
  return (
    <div class="empty" role="alert">
      <p>This view could not be fetched: the service is gone, or was updated since this page was opened.</p>
      <button type="button" onClick={() => location.reload()}>
        Load the page anew
      </button>
    </div>
  );
}
