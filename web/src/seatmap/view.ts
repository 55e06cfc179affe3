import { between, centreOf, type Point, type Rect, type Size } from './geometry';
import { SEAT_PITCH } from './venue';

/** What part of the world is on the screen: screen = world × scale + (x, y), in CSS pixels. */
export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

/** How far one can zoom out and in. */
export interface ZoomLimits {
  readonly min: number;
  readonly max: number;
}

/** Zoomed in all the way, seats are this far apart: large enough for a thumb and for a six-digit number. */
export const MAX_PITCH_PX = 64;
/** A small hall is not blown up beyond this when fitted, or twenty seats would look like a toy. */
export const MAX_FIT_PITCH_PX = 40;
/** Space left around a fitted hall. */
const FIT_PADDING_PX = 16;

/** The scale at which neighbouring seats are so many CSS pixels apart. */
export function scaleForPitch(pixels: number): number {
  return pixels / SEAT_PITCH;
}

/** The whole world on the screen, centred. */
export function fitView(bounds: Rect, screen: Size): View {
  const room = {
    width: Math.max(1, screen.width - 2 * FIT_PADDING_PX),
    height: Math.max(1, screen.height - 2 * FIT_PADDING_PX),
  };
  const scale = Math.min(
    room.width / bounds.width,
    room.height / bounds.height,
    scaleForPitch(MAX_FIT_PITCH_PX),
  );
  return centredView(centreOf(bounds), scale, screen);
}

/** A point of the world in the middle of the screen. */
export function centredView(point: Point, scale: number, screen: Size): View {
  return { scale, x: screen.width / 2 - point.x * scale, y: screen.height / 2 - point.y * scale };
}

/** Out to the whole hall and no further, in until seats are large; a tiny hall may be larger than that when fitted. */
export function zoomLimits(bounds: Rect, screen: Size): ZoomLimits {
  const min = fitView(bounds, screen).scale;
  return { min, max: Math.max(min, scaleForPitch(MAX_PITCH_PX)) };
}

/** World coordinates of a point on the screen. */
export function toWorld(view: View, point: Point): Point {
  return { x: (point.x - view.x) / view.scale, y: (point.y - view.y) / view.scale };
}

/** Screen coordinates of a point of the world. */
export function toScreen(view: View, point: Point): Point {
  return { x: point.x * view.scale + view.x, y: point.y * view.scale + view.y };
}

/** Moves the world under the finger by pixels. */
export function panned(view: View, dx: number, dy: number): View {
  return { scale: view.scale, x: view.x + dx, y: view.y + dy };
}

/** Zooms by a factor so that what is under a point of the screen stays under it. */
export function zoomedAt(view: View, point: Point, factor: number, limits: ZoomLimits): View {
  const scale = between(view.scale * factor, limits.min, limits.max);
  const applied = scale / view.scale;
  return { scale, x: point.x - (point.x - view.x) * applied, y: point.y - (point.y - view.y) * applied };
}

/** Two fingers that went from one pair of places to another: what they grasped stays between them. */
export function pinched(
  view: View,
  from: readonly [Point, Point],
  to: readonly [Point, Point],
  limits: ZoomLimits,
): View {
  const before = between(distance(from), 1, Infinity);
  const start = midpoint(from);
  const end = midpoint(to);
  const zoomed = zoomedAt(view, start, distance(to) / before, limits);
  return panned(zoomed, end.x - start.x, end.y - start.y);
}

/**
 * Keeps the hall in sight: along a side where it is smaller than the screen it is centred, where it is larger its
 * edge can be pulled in as far as a third of the screen, so that corner seats can be brought under a thumb.
 */
export function clampedView(view: View, bounds: Rect, screen: Size): View {
  return {
    scale: view.scale,
    x: clampedAxis(view.x, bounds.x * view.scale, bounds.width * view.scale, screen.width),
    y: clampedAxis(view.y, bounds.y * view.scale, bounds.height * view.scale, screen.height),
  };
}

/** The least movement that brings a point of the world on the screen, with some pixels of space around it. */
export function revealed(view: View, point: Point, screen: Size, space: number): View {
  const at = toScreen(view, point);
  const dx =
    between(at.x, Math.min(space, screen.width / 2), Math.max(screen.width - space, screen.width / 2)) - at.x;
  const dy =
    between(at.y, Math.min(space, screen.height / 2), Math.max(screen.height - space, screen.height / 2)) -
    at.y;
  return dx === 0 && dy === 0 ? view : panned(view, dx, dy);
}

/** The view a share of the way (0…1) from one to another, zooming evenly to the eye. */
export function viewBetween(from: View, to: View, share: number): View {
  if (share >= 1) return to;
  const scale = from.scale * (to.scale / from.scale) ** share;
  // Moving in step with the scale keeps the point that both views share in place, so a zoom about a point stays one.
  const step = to.scale === from.scale ? share : (scale - from.scale) / (to.scale - from.scale);
  return { scale, x: from.x + (to.x - from.x) * step, y: from.y + (to.y - from.y) * step };
}

/** Whether two views show the same to the eye. */
export function sameView(a: View, b: View): boolean {
  return Math.abs(a.scale / b.scale - 1) < 1e-4 && Math.abs(a.x - b.x) < 0.5 && Math.abs(a.y - b.y) < 0.5;
}

/** The part of the world that a rectangle of the screen shows. */
export function worldRect(view: View, rect: Rect): Rect {
  return { ...toWorld(view, rect), width: rect.width / view.scale, height: rect.height / view.scale };
}

function clampedAxis(offset: number, start: number, length: number, screen: number): number {
  if (length <= screen) return (screen - length) / 2 - start;
  const slack = screen / 3;
  return between(offset, screen - slack - length - start, slack - start);
}

function distance([a, b]: readonly [Point, Point]): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function midpoint([a, b]: readonly [Point, Point]): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
