/** A small curve without axes, plain SVG: for blocks, tables and cards. Cheap enough for hundreds. */
import { memo } from "react";

export interface SparklineProps {
  values: ArrayLike<number>;
  width?: number;
  height?: number;
  label: string;
  /** A colour token. */
  color?: string;
}

const MAX_POINTS = 120;

/** The SVG path of the values, at most 120 points: each bucket's minimum and maximum. */
export function sparkPath(values: ArrayLike<number>, width: number, height: number): string {
  const finite: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    if (Number.isFinite(values[index]!)) {
      finite.push(values[index]!);
    }
  }
  if (finite.length === 0) {
    return "";
  }
  const points = thin(finite);
  const low = Math.min(...points);
  const high = Math.max(...points);
  const span = high - low || 1;
  const pad = 1.5;
  return points
    .map((value, index) => {
      const x = points.length === 1 ? width / 2 : (index / (points.length - 1)) * width;
      const y = pad + (1 - (value - low) / span) * (height - 2 * pad);
      return `${index === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}

function thin(values: number[]): number[] {
  if (values.length <= MAX_POINTS) {
    return values;
  }
  const buckets = MAX_POINTS / 2;
  const out: number[] = [];
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const part = values.slice(
      Math.floor((bucket * values.length) / buckets),
      Math.floor(((bucket + 1) * values.length) / buckets),
    );
    const low = Math.min(...part);
    const high = Math.max(...part);
    out.push(...(part.indexOf(low) < part.indexOf(high) ? [low, high] : [high, low]));
  }
  return out;
}

export const Sparkline = memo(function Sparkline({
  values,
  width = 120,
  height = 28,
  label,
  color = "--series-1",
}: SparklineProps) {
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <path
        d={sparkPath(values, width, height)}
        fill="none"
        stroke={`var(${color})`}
        strokeWidth={1.5}
        strokeLinejoin="round"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
});
