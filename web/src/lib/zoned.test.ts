import { describe, expect, it } from 'vitest';
import { fromWallClock, toWallClock, zones } from './zoned';

describe('wall clocks', () => {
  it.each([
    ['2026-11-22T19:00', 'Europe/Berlin', '2026-11-22T18:00:00.000Z'],
    ['2026-07-01T19:00', 'Europe/Berlin', '2026-07-01T17:00:00.000Z'],
    ['2026-11-22T19:00', 'Asia/Tokyo', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22T09:30', 'Asia/Kolkata', '2026-11-22T04:00:00.000Z'],
    ['2026-11-22T00:00', 'UTC', '2026-11-22T00:00:00.000Z'],
    // Berlin's clocks show 02:30 twice on this night; the first one is meant.
    ['2026-10-25T02:30', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'],
    // They never show 02:30 on this one; it is half an hour after the gap.
    ['2026-03-29T02:30', 'Europe/Berlin', '2026-03-29T01:30:00.000Z'],
    ['2026-03-29T03:00', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    ['2026-11-01T01:30', 'America/New_York', '2026-11-01T05:30:00.000Z'],
  ])('%s in %s is %s', (local, zone, iso) => {
    expect(fromWallClock(local, zone)).toBe(iso);
  });

  it('survives there and back', () => {
    for (const zone of ['Europe/Berlin', 'America/St_Johns', 'Pacific/Chatham', 'UTC']) {
      const iso = '2027-01-15T12:34:00.000Z';
      expect(fromWallClock(toWallClock(iso, zone), zone)).toBe(iso);
    }
  });

  it("offers the viewer's zone first and none twice", () => {
    const all = zones('Asia/Tokyo');
    expect(all[0]).toBe('Asia/Tokyo');
    expect(new Set(all).size).toBe(all.length);
  });
});
