interface Props {
  label: string;
  /** Share that is left, 0 to 1. */
  share: number;
  text: string;
}

/** How much is left of something: a bar, and the same in words. */
export function Bar({ label, share, text }: Props) {
  const kind = share <= 0.1 ? "bad" : share <= 0.3 ? "warn" : "good";
  return (
    <span class="bar" data-kind={kind}>
      <meter aria-label={label} min={0} max={1} value={share} />
      <span class="track" aria-hidden="true">
        <span class="fill" style={{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }} />
      </span>
      <span class="text">{text}</span>
    </span>
  );
}
