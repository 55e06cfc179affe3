import type { Rect, Size } from './geometry';

/**
 * What has to be painted anew after a picture has been moved by whole pixels within its frame: one full-width strip
 * above or below, one at the side beside it, which don't overlap; everything if nothing of the picture remains.
 */
export function exposedStrips(dx: number, dy: number, frame: Size): Rect[] {
  const { width, height } = frame;
  if (Math.abs(dx) >= width || Math.abs(dy) >= height) return [{ x: 0, y: 0, width, height }];
  const strips: Rect[] = [];
  if (dy !== 0) strips.push({ x: 0, y: dy > 0 ? 0 : height + dy, width, height: Math.abs(dy) });
  if (dx !== 0)
    strips.push({
      x: dx > 0 ? 0 : width + dx,
      y: Math.max(0, dy),
      width: Math.abs(dx),
      height: height - Math.abs(dy),
    });
  return strips;
}
