import { describe, expect, it } from 'vitest';
import {
  type GestureEffect,
  type GestureStep,
  isDragging,
  NO_GESTURE,
  pointerCancel,
  pointerDown,
  pointerMove,
  pointerUp,
} from './gesture';

type Act = (step: GestureStep) => GestureStep;
const down =
  (id: number, x: number, y: number): Act =>
  (s) =>
    pointerDown(s.gesture, id, { x, y });
const move =
  (id: number, x: number, y: number): Act =>
  (s) =>
    pointerMove(s.gesture, id, { x, y });
const up =
  (id: number): Act =>
  (s) =>
    pointerUp(s.gesture, id);
const cancel =
  (id: number): Act =>
  (s) =>
    pointerCancel(s.gesture, id);

/** The effects of a series of acts, without the empty ones. */
function play(...acts: Act[]): GestureEffect[] {
  let step: GestureStep = { gesture: NO_GESTURE, effect: { kind: 'none' } };
  return acts.flatMap((act) => {
    step = act(step);
    return step.effect.kind === 'none' ? [] : [step.effect];
  });
}

describe('gesture', () => {
  it.each([
    ['a press is a tap', [down(1, 5, 5), up(1)], ['tap']],
    ['a trembling press too', [down(1, 5, 5), move(1, 9, 9), up(1)], ['tap']],
    ['more than 6 px is a pan', [down(1, 5, 5), move(1, 12, 5), up(1)], ['pan']],
    ['also if it comes back', [down(1, 5, 5), move(1, 12, 5), move(1, 5, 5), up(1)], ['pan', 'pan']],
    ['exactly 6 px is not', [down(1, 5, 5), move(1, 11, 5), up(1)], ['tap']],
    ['two fingers pinch', [down(1, 0, 0), down(2, 9, 0), move(2, 30, 0), up(2), up(1)], ['pinch']],
    ['two fingers never tap', [down(1, 0, 0), down(2, 9, 0), up(2), up(1)], []],
    ['the finger left over pans', [down(1, 0, 0), down(2, 9, 0), up(1), move(2, 10, 0)], ['pan']],
    ['a third finger is ignored', [down(1, 0, 0), down(2, 9, 0), down(3, 5, 5), move(3, 50, 50), up(3)], []],
    ['a cancelled press is none', [down(1, 0, 0), cancel(1), up(1)], []],
    ['a hover is none', [move(1, 0, 0), move(1, 90, 0)], []],
    ['a stray release is none', [up(7)], []],
  ])('%s', (_, acts, kinds) => {
    expect(play(...acts).map((effect) => effect.kind)).toEqual(kinds);
  });

  it('taps where the pointer went down', () => {
    expect(play(down(1, 5, 6), move(1, 8, 8), up(1))).toEqual([{ kind: 'tap', at: { x: 5, y: 6 } }]);
  });

  it('pans by all of the way, so that the map stays under the finger', () => {
    const effects = play(down(1, 0, 0), move(1, 4, 0), move(1, 8, 1), move(1, 10, 1));
    expect(effects).toEqual([
      { kind: 'pan', dx: 8, dy: 1 },
      { kind: 'pan', dx: 2, dy: 0 },
    ]);
  });

  it('knows whether the map is being moved', () => {
    const pressed = pointerDown(NO_GESTURE, 1, { x: 0, y: 0 }).gesture;
    expect(isDragging(NO_GESTURE)).toBe(false);
    expect(isDragging(pressed)).toBe(false);
    expect(isDragging(pointerMove(pressed, 1, { x: 20, y: 0 }).gesture)).toBe(true);
  });
});
