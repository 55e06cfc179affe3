import type { Point } from './geometry';

/** A pointer that moved no farther than this between press and release meant a seat, not the map. */
export const TAP_SLOP_PX = 6;

/** Pointers that are down, by id, and whether what they do can still become a tap. Pure: steps answer a new one. */
export interface Gesture {
  readonly pointers: readonly Finger[];
  /** Where the only pointer went down, until it moved too far or another joined. */
  readonly tapFrom: Point | undefined;
}

interface Finger {
  readonly id: number;
  readonly at: Point;
}

/** What a step of pointers means for the map. */
export type GestureEffect =
  | { readonly kind: 'none' }
  | { readonly kind: 'pan'; readonly dx: number; readonly dy: number }
  | { readonly kind: 'pinch'; readonly from: readonly [Point, Point]; readonly to: readonly [Point, Point] }
  | { readonly kind: 'tap'; readonly at: Point };

/** What a gesture has become, and what to do about it. */
export interface GestureStep {
  readonly gesture: Gesture;
  readonly effect: GestureEffect;
}

const NOTHING: GestureEffect = { kind: 'none' };

/** No pointer down. */
export const NO_GESTURE: Gesture = { pointers: [], tapFrom: undefined };

/** Whether pointers are moving the map right now. */
export function isDragging(gesture: Gesture): boolean {
  return gesture.pointers.length > 0 && gesture.tapFrom === undefined;
}

/** A pointer went down; a third one and more are ignored. */
export function pointerDown(gesture: Gesture, id: number, at: Point): GestureStep {
  const others = gesture.pointers.filter((finger) => finger.id !== id);
  if (others.length >= 2) return { gesture, effect: NOTHING };
  const pointers = [...others, { id, at }];
  return { gesture: { pointers, tapFrom: pointers.length === 1 ? at : undefined }, effect: NOTHING };
}

/** A pointer moved: nothing while it may still be a tap, then the map moves by all of it. */
export function pointerMove(gesture: Gesture, id: number, at: Point): GestureStep {
  const moved = gesture.pointers.find((finger) => finger.id === id);
  if (!moved) return { gesture, effect: NOTHING };
  if (gesture.tapFrom && Math.hypot(at.x - gesture.tapFrom.x, at.y - gesture.tapFrom.y) <= TAP_SLOP_PX) {
    return { gesture, effect: NOTHING };
  }
  const pointers = gesture.pointers.map((finger) => (finger.id === id ? { id, at } : finger));
  const after: Gesture = { pointers, tapFrom: undefined };
  const [a, b] = gesture.pointers;
  const [c, d] = pointers;
  if (a && b && c && d)
    return { gesture: after, effect: { kind: 'pinch', from: [a.at, b.at], to: [c.at, d.at] } };
  return { gesture: after, effect: { kind: 'pan', dx: at.x - moved.at.x, dy: at.y - moved.at.y } };
}

/** A pointer was lifted: a tap if it was alone and kept its place. */
export function pointerUp(gesture: Gesture, id: number): GestureStep {
  const lifted = gesture.pointers.some((finger) => finger.id === id);
  const after = without(gesture, id);
  return {
    gesture: after,
    effect: lifted && gesture.tapFrom ? { kind: 'tap', at: gesture.tapFrom } : NOTHING,
  };
}

/** A pointer was taken away, for example because the page scrolls now: never a tap. */
export function pointerCancel(gesture: Gesture, id: number): GestureStep {
  return { gesture: without(gesture, id), effect: NOTHING };
}

function without(gesture: Gesture, id: number): Gesture {
  return { pointers: gesture.pointers.filter((finger) => finger.id !== id), tapFrom: undefined };
}
