import { describe, expect, it } from 'vitest';
import type { View } from './view';
import * as views from './view';

const hall = { x: 0, y: 0, width: 2000, height: 1000 };
const screen = { width: 800, height: 600 };
const view: View = { scale: 0.5, x: -40, y: 30 };

function expectSame(a: View, b: View): void {
  expect(a.scale).toBeCloseTo(b.scale, 6);
  expect(a.x).toBeCloseTo(b.x, 6);
  expect(a.y).toBeCloseTo(b.y, 6);
}

describe('view', () => {
  it('goes to the world and back', () => {
    const point = { x: 123, y: 456 };
    const back = views.toScreen(view, views.toWorld(view, point));
    expect(back.x).toBeCloseTo(point.x);
    expect(back.y).toBeCloseTo(point.y);
  });

  it('fits the whole hall, centred, inside the padding', () => {
    const fit = views.fitView(hall, screen);
    const a = views.toScreen(fit, { x: 0, y: 0 });
    const b = views.toScreen(fit, { x: hall.width, y: hall.height });
    expect(a.x).toBeCloseTo(16);
    expect(b.x).toBeCloseTo(784);
    expect(a.y + b.y).toBeCloseTo(600);
  });

  it('does not blow a small hall up', () => {
    const fit = views.fitView({ x: 0, y: 0, width: 100, height: 50 }, screen);
    expect(fit.scale).toBeCloseTo(views.scaleForPitch(views.MAX_FIT_PITCH_PX));
  });

  it('zooms about a point and stops at the limits', () => {
    const limits = views.zoomLimits(hall, screen);
    const point = { x: 300, y: 200 };
    const before = views.toWorld(view, point);
    for (const factor of [0.001, 0.9, 1.3, 1000]) {
      const zoomed = views.zoomedAt(view, point, factor, limits);
      expect(zoomed.scale).toBeGreaterThanOrEqual(limits.min);
      expect(zoomed.scale).toBeLessThanOrEqual(limits.max);
      const after = views.toWorld(zoomed, point);
      expect(after.x).toBeCloseTo(before.x);
      expect(after.y).toBeCloseTo(before.y);
    }
  });

  it('keeps what two fingers grasp between them', () => {
    const from = [
      { x: 100, y: 100 },
      { x: 200, y: 100 },
    ] as const;
    const to = [
      { x: 120, y: 150 },
      { x: 270, y: 150 },
    ] as const;
    const pinched = views.pinched(view, from, to, { min: 0.1, max: 10 });
    expect(pinched.scale).toBeCloseTo(view.scale * 1.5);
    for (const i of [0, 1] as const) {
      const a = views.toWorld(view, from[i]);
      const b = views.toWorld(pinched, to[i]);
      expect(b.x).toBeCloseTo(a.x);
      expect(b.y).toBeCloseTo(a.y);
    }
  });

  it('survives two fingers in one place', () => {
    const spot = { x: 10, y: 10 };
    const pinched = views.pinched(view, [spot, spot], [spot, spot], { min: 0.1, max: 10 });
    expect(Number.isFinite(pinched.x) && Number.isFinite(pinched.scale)).toBe(true);
  });

  it.each([
    [
      { scale: 0.1, x: 999, y: -999 },
      { scale: 0.1, x: 300, y: 250 },
    ],
    [
      { scale: 2, x: 9999, y: 9999 },
      { scale: 2, x: 800 / 3, y: 200 },
    ],
    [
      { scale: 2, x: -9999, y: -9999 },
      { scale: 2, x: 800 - 800 / 3 - 4000, y: 600 - 200 - 2000 },
    ],
    [
      { scale: 2, x: -100, y: -100 },
      { scale: 2, x: -100, y: -100 },
    ],
  ])('keeps the hall in sight from %j', (from, to) => {
    expectSame(views.clampedView(from, hall, screen), to);
  });

  it('reveals with the least movement', () => {
    expect(views.revealed(view, { x: 500, y: 300 }, screen, 40)).toBe(view);
    const moved = views.revealed(view, { x: 2000, y: 300 }, screen, 40);
    expect(views.toScreen(moved, { x: 2000, y: 300 }).x).toBeCloseTo(760);
    expect(moved.y).toBe(view.y);
  });

  it('glides so that the point of a zoom stays in place', () => {
    const limits = { min: 0.1, max: 10 };
    const point = { x: 300, y: 200 };
    const to = views.zoomedAt(view, point, 4, limits);
    const before = views.toWorld(view, point);
    for (const share of [0, 0.25, 0.5, 0.9, 1]) {
      const after = views.toWorld(views.viewBetween(view, to, share), point);
      expect(after.x).toBeCloseTo(before.x);
      expect(after.y).toBeCloseTo(before.y);
    }
    expect(views.viewBetween(view, to, 1)).toBe(to);
  });
});
