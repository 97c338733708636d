/** Plane geometry of the outline overlay. */

export type Point = readonly [number, number];

/** SVG's matrix(a b c d e f): x' = a·x + c·y + e, y' = b·x + d·y + f. */
export interface Affine {
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
  f: number;
}

/** The map that sends (0,0), (side,0) and (0,side) to the three given points. */
export function affineFrom(origin: Point, right: Point, down: Point, side: number): Affine {
  return {
    a: (right[0] - origin[0]) / side,
    b: (right[1] - origin[1]) / side,
    c: (down[0] - origin[0]) / side,
    d: (down[1] - origin[1]) / side,
    e: origin[0],
    f: origin[1],
  };
}

/** Canvas pixels per film pixel. */
export function scaleOf({ a, b }: Affine): number {
  return Math.hypot(a, b);
}

export function svgMatrix({ a, b, c, d, e, f }: Affine): string {
  return `matrix(${a} ${b} ${c} ${d} ${e} ${f})`;
}

/** One closed path for all polylines of a region; holes come out by the even-odd rule. */
export function outlinePath(polylines: readonly (readonly Point[])[]): string {
  return polylines
    .filter((points) => points.length > 1)
    .map((points) => `M${points.map(([x, y]) => `${x} ${y}`).join('L')}Z`)
    .join('');
}
