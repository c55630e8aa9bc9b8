/** A line plot on logarithmic axes as SVG. */
export function plot(of: {
  title: string;
  x: string;
  y: string;
  series: readonly { name: string; points: readonly (readonly [number, number])[] }[];
}): string;
