import { describe, expect, it } from 'vitest';
import { Camera, COMFORTABLE_PITCH_PX, GLIDE_MS } from './camera';
import { toScreen, toWorld } from './view';

const hall = { x: 0, y: 0, width: 9000, height: 5000 };
const screen = { width: 800, height: 600 };

function camera(jumps = false): Camera {
  const made = new Camera(jumps);
  made.resize(screen);
  made.enter(hall);
  return made;
}

describe('Camera', () => {
  it('enters a hall by showing all of it', () => {
    expect(camera().fitted).toBe(true);
  });

  it('stays fitted when the screen changes, and else keeps the middle', () => {
    const c = camera();
    c.resize({ width: 390, height: 500 });
    expect(c.fitted).toBe(true);
    c.zoom({ x: 200, y: 250 }, 8);
    const middle = toWorld(c.view, { x: 195, y: 250 });
    c.resize({ width: 500, height: 390 });
    const after = toScreen(c.view, middle);
    expect(after.x).toBeCloseTo(250);
    expect(after.y).toBeCloseTo(195);
  });

  it('glides and arrives', () => {
    const c = camera();
    c.approach({ x: 400, y: 300 }, 1000);
    expect(c.gliding).toBe(true);
    c.tick(1000 + GLIDE_MS / 2);
    expect(c.pitch).toBeLessThan(COMFORTABLE_PITCH_PX);
    c.tick(1000 + GLIDE_MS);
    expect(c.gliding).toBe(false);
    expect(c.pitch).toBeCloseTo(COMFORTABLE_PITCH_PX);
  });

  it('jumps for those who prefer that', () => {
    const c = camera(true);
    c.approach({ x: 400, y: 300 }, 0);
    expect(c.gliding).toBe(false);
    expect(c.pitch).toBeCloseTo(COMFORTABLE_PITCH_PX);
  });

  it('adds presses of a zoom button up, also while gliding', () => {
    const c = camera();
    const before = c.pitch;
    c.glideZoom(2, 0);
    c.glideZoom(2, 10);
    c.tick(10 + GLIDE_MS);
    expect(c.pitch).toBeCloseTo(before * 4);
  });

  it('says when there is nothing left to zoom, so that the page can scroll', () => {
    const c = camera();
    expect(c.zoom({ x: 400, y: 300 }, 0.5)).toBe(false);
    expect(c.zoom({ x: 400, y: 300 }, 2)).toBe(true);
  });

  it('lets a hand stop it', () => {
    const c = camera();
    c.approach({ x: 400, y: 300 }, 0);
    c.tick(GLIDE_MS / 4);
    const { scale } = c.view;
    c.stop();
    c.tick(GLIDE_MS);
    expect(c.view.scale).toBe(scale);
  });

  it('brings the keyboard’s seat into view, large enough to see', () => {
    const c = camera(true);
    for (const point of [
      { x: 100, y: 100 },
      { x: 8900, y: 4900 },
      { x: 8880, y: 4900 },
    ]) {
      c.reveal(point, 15, 0);
      const at = toScreen(c.view, point);
      expect(c.pitch).toBeGreaterThanOrEqual(15 - 1e-9);
      expect(at.x >= 0 && at.x <= 800 && at.y >= 0 && at.y <= 600).toBe(true);
    }
  });

  it('does nothing without a hall', () => {
    const c = new Camera(false);
    c.fit(0);
    c.glideZoom(2, 0);
    c.approach({ x: 0, y: 0 }, 0);
    expect(c.zoom({ x: 0, y: 0 }, 2)).toBe(false);
    expect(c.fitted).toBe(false);
  });
});
