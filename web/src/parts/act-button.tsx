import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { whyNot, who } from "../api";
import { useStore, whole } from "../store";
import type { Scope } from "../types";

interface Props {
  needs: Scope;
  onClick: () => void;
  /** Another reason why it cannot be done now. */
  cannot?: string;
  class?: string;
  children: ComponentChildren;
}

/** A button that changes something. What the token may not do can be read, and focused, and does nothing. */
export function ActButton({ needs, onClick, cannot = "", class: look = "", children }: Props) {
  useStore(who, whole);
  const id = useId();
  const why = whyNot(needs) || cannot;
  return (
    <>
      <button
        type="button"
        class={`act ${look}`}
        aria-disabled={why ? "true" : undefined}
        aria-describedby={why ? id : undefined}
        title={why || undefined}
        onClick={() => {
          if (!why) onClick();
        }}
      >
        {children}
      </button>
      {why && (
        <span id={id} hidden>
          {why}
        </span>
      )}
    </>
  );
}
