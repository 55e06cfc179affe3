import { describe, expect, it } from 'vitest';
import {
  boundsOfSeats,
  defaultLayout,
  MAX_SEATS,
  rowLabel,
  rowOfSeat,
  seatName,
  sectionOfSeat,
} from './layout';
import { SEAT_PITCH } from './venue';

describe('rowLabel', () => {
  it.each([
    [0, 'A'],
    [1, 'B'],
    [25, 'Z'],
    [26, 'AA'],
    [51, 'AZ'],
    [52, 'BA'],
    [701, 'ZZ'],
    [702, 'AAA'],
    [49_999, 'BUYB'],
  ])('names row %i %s', (index, label) => {
    expect(rowLabel(index)).toBe(label);
  });
});

describe('defaultLayout', () => {
  it('lets the numbers run on over rows of 20', () => {
    const layout = defaultLayout(45);
    expect(layout.rows.map((row) => [row.label, row.seats[0], row.seats.at(-1)])).toEqual([
      ['A', 1, 20],
      ['B', 21, 40],
      ['C', 41, 45],
    ]);
    expect(seatName(layout, 21)).toEqual({ section: 'A–C', row: 'B', seat: '21' });
    expect(rowOfSeat(layout, 45)?.label).toBe('C');
    expect(layout.columnOf[44]).toBe(4);
  });

  it('knows nothing of seats outside the event', () => {
    const layout = defaultLayout(3);
    for (const seat of [0, -1, 4, 1.5, Number.NaN]) {
      expect(seatName(layout, seat)).toBeUndefined();
      expect(rowOfSeat(layout, seat)).toBeUndefined();
      expect(sectionOfSeat(layout, seat)).toBeUndefined();
    }
    expect(boundsOfSeats(layout, [4])).toBeUndefined();
  });

  it.each([0, -1, 2.5, Number.NaN, MAX_SEATS + 1])('refuses %d seats', (count) => {
    expect(() => defaultLayout(count)).toThrow(RangeError);
  });

  it.each([1, 3, 20, 21, 400, 500, 501, 520, 1000, 1500, 2000, 20_000, 20_013, 100_000])(
    'gives %i seats places of their own inside the hall',
    (count) => {
      const layout = defaultLayout(count);
      const { bounds } = layout;
      expect(layout.rows.length).toBe(Math.ceil(count / 20));
      expect(layout.sections.flatMap((section) => section.rows)).toEqual(layout.rows);
      const cells = new Map<string, number[]>();
      let nearest = Infinity;
      for (let i = 0; i < count; i++) {
        const x = layout.x[i] ?? Number.NaN;
        const y = layout.y[i] ?? Number.NaN;
        if (!(x > 0 && y > 0 && x < bounds.width && y < bounds.height))
          throw new Error(`seat ${i + 1} is outside`);
        const [column, row] = [Math.floor(x / 30), Math.floor(y / 30)];
        for (let c = column - 1; c <= column + 1; c++) {
          for (let r = row - 1; r <= row + 1; r++) {
            for (const other of cells.get(`${c},${r}`) ?? []) {
              nearest = Math.min(nearest, Math.hypot(x - (layout.x[other] ?? 0), y - (layout.y[other] ?? 0)));
            }
          }
        }
        const cell = cells.get(`${column},${row}`);
        if (cell) cell.push(i);
        else cells.set(`${column},${row}`, [i]);
      }
      if (count > 1) expect(nearest).toBeGreaterThan(SEAT_PITCH * 0.99);
    },
  );

  it('keeps neighbours of a row at one pitch, left to right', () => {
    const layout = defaultLayout(20_000);
    for (const row of layout.rows) {
      for (let i = 1; i < row.seats.length; i++) {
        const [a, b] = [(row.seats[i - 1] ?? 0) - 1, (row.seats[i] ?? 0) - 1];
        const dx = (layout.x[b] ?? 0) - (layout.x[a] ?? 0);
        expect(dx).toBeGreaterThan(0);
        expect(Math.hypot(dx, (layout.y[b] ?? 0) - (layout.y[a] ?? 0))).toBeCloseTo(SEAT_PITCH, 1);
      }
    }
  });

  it.each([500, 1000, 20_000, 100_000, 1_000_000])('makes %i seats a hall, not a ribbon', (count) => {
    const { bounds } = defaultLayout(count);
    expect(bounds.width / bounds.height).toBeGreaterThan(0.6);
    expect(bounds.width / bounds.height).toBeLessThan(2.4);
  });

  it('shares rows out so evenly that sections differ by one at most', () => {
    for (const count of [501, 520, 10_340, 20_013]) {
      const sizes = defaultLayout(count).sections.map((section) => section.rows.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(25);
    }
  });
});
