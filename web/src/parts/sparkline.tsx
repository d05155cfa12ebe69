import { duration } from "../format";

const STEP = 4; // pixels a call
const MOST = 20;
const HEIGHT = 18;

/** How long the latest calls took, the latest last; one that failed is red and as high as it goes. */
export function Sparkline({ times }: { times: readonly (number | null)[] }) {
  if (times.length === 0) return <span class="faint">–</span>;
  const shown = times.slice(-MOST);
  const most = Math.max(...shown.map((each) => each ?? 0), 0.001);
  let well = "";
  let failed = "";
  shown.forEach((seconds, index) => {
    const height = seconds === null ? HEIGHT : Math.max(2, (seconds / most) * HEIGHT);
    const bar = `M${(index + 0.5) * STEP} ${HEIGHT}v-${height.toFixed(1)}`;
    if (seconds === null) failed += bar;
    else well += bar;
  });
  const bad = shown.filter((each) => each === null).length;
  const told = `latest ${shown.length} calls, the slowest ${duration(most)}${bad ? `, ${bad} failed` : ""}`;
  return (
    <svg class="spark" width={MOST * STEP} height={HEIGHT} role="img" aria-label={told}>
      <title>{told}</title>
      <path class="well" d={well} />
      {failed && <path class="failed" d={failed} />}
    </svg>
  );
}
