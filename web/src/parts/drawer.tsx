import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  title: string;
  /** Stands beside the title. */
  beside?: ComponentChildren;
  onClose: () => void;
  children: ComponentChildren;
}

/** A panel beside a list. Escape closes it, and the focus goes back to its row, or to where it came from. */
export function Drawer({ title, beside, onClose, children }: Props) {
  const panel = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    const before = document.activeElement;
    heading.current?.focus();
    return () => {
      const row = document.querySelector<HTMLElement>(`[data-name="${CSS.escape(title)}"]`);
      const back = row ?? before; // rows may have moved since
      if (back instanceof HTMLElement && back.isConnected) back.focus();
    };
  }, [title]);

  return (
    <aside
      class="drawer"
      ref={panel}
      aria-label={title}
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <header class="row">
        <h2 tabIndex={-1} ref={heading}>
          {title}
        </h2>
        {beside}
        <span class="gap" />
        <button type="button" class="icon" onClick={onClose} aria-label="Close">
          ✕
        </button>
      </header>
      {children}
    </aside>
  );
}
