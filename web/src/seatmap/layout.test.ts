import { describe, expect, it } from 'vitest';
import { House, type HouseSection, rowLabel } from './house';
import {
  boundsOfSeats,
  defaultLayout,
  houseLayout,
  type Layout,
  MAX_SEATS,
  rowOfSeat,
  seatName,
  sectionOfSeat,
} from './layout';
import { SEAT_PITCH } from './venue';

/** The least distance of two seats; throws where one is outside the hall. */
function nearestSeats({ bounds, seatCount, x: xs, y: ys }: Layout): number {
  const cells = new Map<string, number[]>();
  let nearest = Infinity;
  for (let i = 0; i < seatCount; i++) {
    const x = xs[i] ?? Number.NaN;
    const y = ys[i] ?? Number.NaN;
    if (!(x > 0 && y > 0 && x < bounds.width && y < bounds.height)) throw new Error(`seat ${i + 1} is outside`);
    const [column, row] = [Math.floor(x / 30), Math.floor(y / 30)];
    for (let c = column - 1; c <= column + 1; c++) {
      for (let r = row - 1; r <= row + 1; r++) {
        for (const other of cells.get(`${c},${r}`) ?? []) {
          nearest = Math.min(nearest, Math.hypot(x - (xs[other] ?? 0), y - (ys[other] ?? 0)));
        }
      }
    }
    const cell = cells.get(`${column},${row}`);
    if (cell) cell.push(i);
    else cells.set(`${column},${row}`, [i]);
  }
  return nearest;
}

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
    expect(seatName(layout, 21)).toEqual({ section: '', row: 'B', seat: '21' });
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
      expect(layout.rows.length).toBe(Math.ceil(count / 20));
      expect(layout.sections.flatMap((section) => section.rows)).toEqual(layout.rows);
      const nearest = nearestSeats(layout);
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

describe('houseLayout', () => {
  const rows = (count: number, seats: (row: number) => number, label = rowLabel) =>
    Array.from({ length: count }, (_, i) => ({ label: label(i), seats: seats(i) }));
  const theatre: HouseSection[] = [
    { name: 'Stalls', rows: rows(12, (r) => 18 + r) },
    { name: 'Left box', rows: rows(2, () => 3, String) },
    { name: 'Right box', rows: rows(2, () => 3, String) },
    { name: 'Circle', rows: rows(5, () => 30) },
  ];

  it.each<[string, HouseSection[]]>([
    ['a theatre', theatre],
    ['one seat', [{ name: '', rows: [{ label: 'A', seats: 1 }] }]],
    ['a large hall', [{ name: '', rows: rows(400, () => 50) }]],
    ['an arena', Array.from({ length: 40 }, (_, i) => ({ name: `Block ${i}`, rows: rows(20, (r) => 20 + r) }))],
    ['long labels', [{ name: 'A', rows: rows(9, () => 9, (r) => `Terrace no ${r}`) }, { name: 'B', rows: rows(9, () => 9) }]],
    ['a column', [{ name: 'Column', rows: rows(2000, () => 1) }]],
  ])('gives each seat of %s a place of its own inside the house', (_, sections) => {
    const house = new House(sections);
    const layout = houseLayout(house);
    expect(layout.seatCount).toBe(house.seatCount);
    expect(layout.sections.flatMap((section) => section.rows)).toEqual(layout.rows);
    expect(layout.rows.map((row) => row.seats.length)).toEqual(
      sections.flatMap((section) => section.rows.map((row) => row.seats)),
    );
    if (layout.seatCount > 1) expect(nearestSeats(layout)).toBeGreaterThan(SEAT_PITCH * 0.97);
  });

  it('names seats as the house does', () => {
    const layout = houseLayout(
      new House([
        { name: 'Stalls', rows: [{ label: 'A', seats: 2 }, { label: 'B', seats: 3, first: 7 }] },
        { name: 'Box', rows: [{ label: '1', seats: 4, first: 101 }] },
      ]),
    );
    expect(seatName(layout, 2)).toEqual({ section: 'Stalls', row: 'A', seat: '2' });
    expect(seatName(layout, 5)).toEqual({ section: 'Stalls', row: 'B', seat: '9' });
    expect(seatName(layout, 9)).toEqual({ section: 'Box', row: '1', seat: '104' });
    expect(seatName(layout, 10)).toBeUndefined();
  });

  it('centres unequal rows in front of each other', () => {
    const layout = houseLayout(new House([{ name: 'Stalls', rows: rows(6, (r) => 10 + 3 * r) }]));
    const middles = layout.rows.map((row) => {
      const [a, b] = [(row.seats[0] ?? 0) - 1, (row.seats.at(-1) ?? 0) - 1];
      return ((layout.x[a] ?? 0) + (layout.x[b] ?? 0)) / 2;
    });
    for (const middle of middles) expect(middle).toBeCloseTo(middles[0] ?? 0, 1);
  });

  it('keeps sections apart, each with its name above its rows and the stage in front of all', () => {
    const layout = houseLayout(new House(theatre));
    const stage = Math.max(...layout.stage.outline.filter((_, i) => i % 2 === 1));
    for (const section of layout.sections) {
      // The ends of a row bend towards the stage; the name stands at its middle.
      const first = section.rows[0]?.seats ?? new Uint32Array();
      const front = layout.y[(first[first.length >> 1] ?? 0) - 1] ?? 0;
      expect(section.title?.at.y).toBeLessThan(front);
      expect(section.title?.at.y).toBeGreaterThan(stage);
    }
    // The circle stands behind the stalls, since side by side they would be small.
    expect(layout.sections[3]?.bounds.y).toBeGreaterThan(layout.sections[0]?.bounds.y ?? Infinity);
    // The boxes stand at both sides of its middle rather than one beside the stalls.
    const [, left, right] = layout.sections.map((section) => section.centre);
    expect(left?.y).toBeCloseTo(right?.y ?? 0, 1);
  });

  it('puts halves of a house side by side, in their order', () => {
    const half = rows(10, () => 10);
    const layout = houseLayout(new House([{ name: 'Left', rows: half }, { name: 'Right', rows: half }]));
    const [left, right] = layout.sections;
    expect(left?.centre.y).toBeCloseTo(right?.centre.y ?? 0, 1);
    expect((left?.bounds.x ?? 0) + (left?.bounds.width ?? 0)).toBeLessThan(right?.bounds.x ?? 0);
  });
});
