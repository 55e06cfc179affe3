import { describe, expect, it } from 'vitest';
import { countdown, dateBlock, relative, startLine, timeRange, until, viewerTime } from './format';

describe('times of an event', () => {
  const starts = '2026-11-22T18:00:00Z';

  it("are shown in the event's zone", () => {
    expect(dateBlock('2026-11-22T23:30:00Z', 'Asia/Tokyo').day).toBe('23');
    expect(timeRange(starts, '2026-11-22T21:00:00Z', 'Europe/Berlin')).toMatch(/^7:00\sPM – 10:00\sPM$/);
  });

  it('name the day of an end on another one', () => {
    expect(timeRange(starts, '2026-11-23T01:00:00Z', 'Europe/Berlin')).toMatch(/Mon, Nov 23, 2:00\sAM$/);
  });

  it('tell a viewer elsewhere their own time, and nobody the same twice', () => {
    expect(viewerTime(starts, 'Europe/Berlin', 'Europe/Paris')).toBeNull();
    expect(viewerTime(starts, 'Europe/Berlin', 'Europe/London')).toMatch(/^6:00\sPM$/);
    expect(viewerTime(starts, 'Europe/Berlin', 'Asia/Tokyo')).toMatch(/^Mon, Nov 23, 3:00\sAM$/);
  });
});

describe('the line of a list', () => {
  it('names the zone only to who would misread the time', () => {
    const starts = '2030-11-22T18:00:00Z';
    expect(startLine(starts, 'Europe/Berlin', 'Europe/Paris')).toMatch(/ 7:00\sPM$/);
    expect(startLine(starts, 'Europe/Berlin', 'Asia/Tokyo')).toMatch(/ 7:00\sPM\sGMT\+1$/);
  });
});

describe('spans', () => {
  it.each([
    [7 * 24 * 60 - 1, 'in 7 days'],
    [6 * 24 * 60, 'in 6 days'],
    [47 * 60 + 1, 'in 48 hours'],
    [59.5, 'in 60 minutes'],
    [-5, 'in 0 minutes'],
  ])('%d minutes before its end something expires %s', (minutes, text) => {
    const now = Date.parse('2026-11-22T12:00:00Z');
    expect(until(new Date(now + minutes * 60_000).toISOString(), now)).toBe(text);
  });

  it.each([
    [119_001, '2:00'],
    [61_000, '1:01'],
    [900, '0:01'],
    [0, '0:00'],
    [-5, '0:00'],
  ])('%i ms are left as %s', (ms, text) => expect(countdown(ms)).toBe(text));

  it.each([
    [-30_000, 'now'],
    [-5 * 60_000, '5 minutes ago'],
    [26 * 3_600_000, 'tomorrow'],
  ])('%i ms away reads %s', (ms, text) => {
    const now = Date.parse('2026-11-22T12:00:00Z');
    expect(relative(new Date(now + ms).toISOString(), now)).toBe(text);
  });
});
