/** A point, in world units or pixels as the holder says. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A width and a height, in world units or pixels as the holder says. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** An axis-aligned rectangle; x and y are its top left corner. */
export interface Rect extends Point, Size {}

/** Grows a rectangle by the same margin on all four sides; a negative margin shrinks it. */
export function inflate(rect: Rect, margin: number): Rect {
  return {
    x: rect.x - margin,
    y: rect.y - margin,
    width: rect.width + 2 * margin,
    height: rect.height + 2 * margin,
  };
}

/** Whether two rectangles share any area; touching edges don't count. */
export function overlaps(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** The middle of a rectangle. */
export function centreOf(rect: Rect): Point {
  return { x: rect.x + rect.width / 2, y: rect.y + rect.height / 2 };
}

/** Keeps a value between two limits; if the limits cross, the lower one wins. */
export function between(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

/** The smallest rectangle around all points of polygons given as x, y, x, y, … */
export function boundsOf(polygons: Iterable<ArrayLike<number>>): Rect {
  let left = Infinity;
  let top = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (const polygon of polygons) {
    for (let i = 0; i + 1 < polygon.length; i += 2) {
      const x = polygon[i] ?? 0;
      const y = polygon[i + 1] ?? 0;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      if (y > bottom) bottom = y;
    }
  }
  if (left > right) return { x: 0, y: 0, width: 0, height: 0 };
  return { x: left, y: top, width: right - left, height: bottom - top };
}
