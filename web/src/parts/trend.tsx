const WIDTH = 100;
const HEIGHT = 22;
const POINTS = 60;

/** The course of a figure behind it, without a scale: the chart below has one. */
export function Trend({ values }: { values: readonly (number | null)[] }) {
  const size = Math.max(1, Math.ceil(values.length / POINTS));
  const points: number[] = [];
  for (let from = 0; from < values.length; from += size) {
    points.push(Math.max(...values.slice(from, from + size).map((each) => each ?? 0)));
  }
  const most = Math.max(...points, 0);
  if (points.length < 2 || most === 0) return <svg class="trend" aria-hidden="true" />;
  const line = points
    .map((each, index) => {
      const x = (index / (points.length - 1)) * WIDTH;
      return `${x.toFixed(1)} ${(HEIGHT - (each / most) * (HEIGHT - 2)).toFixed(1)}`;
    })
    .join("L");
  return (
    <svg class="trend" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path class="area" d={`M0 ${HEIGHT}L${line}L${WIDTH} ${HEIGHT}Z`} />
      <path class="line" d={`M${line}`} />
    </svg>
  );
}
