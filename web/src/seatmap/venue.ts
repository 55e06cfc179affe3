/*
 * Where things stand: the geometry of a hall that nobody has drawn. Rows lie on arcs around one focus behind
 * the stage, so every seat looks at it; blocks of rows stand side by side in tiers, as in an amphitheatre.
 *
 * Angles are measured at the focus from straight down, so that a growing angle runs left to right on the screen.
 */

/** Distance between the middles of neighbouring seats of a row, in world units; the unit of everything below. */
export const SEAT_PITCH = 24;
/** Radius of a seat in world units. */
export const SEAT_RADIUS = 9.5;
/** Distance between rows in world units: a little more than between seats, so that rows read as rows. */
export const ROW_PITCH = 28;

/** Radius of the very first row: large enough that 20 seats curve gently rather than bend. */
const FRONT_RADIUS = 900;
/** Room between the outermost seats and a block's edge: the row's label stands there. */
const LABEL_ROOM = 26;
/** Between blocks of one tier there must be room for two row labels and an aisle. */
const BLOCK_GAP = 104;
const TIER_GAP = 60;
/** The widest fan. Wider ones bend the map towards a wreath that wastes the middle of a landscape screen. */
const MAX_SPREAD = (112 * Math.PI) / 180;

const STAGE_GAP = 96;
const STAGE_SHARE = 0.36;
const STAGE_MIN_DEPTH = 52;
const STAGE_MAX_DEPTH = 190;
/** An arc is drawn as this many straight pieces; the eye can't tell at the sizes used. */
const ARC_PIECES = 12;

/** A place for one block: its first row's radius and the angle of its middle. */
export interface BlockPlace {
  readonly radius: number;
  readonly angle: number;
}

/** One tier of blocks, counted from the stage. */
interface Tier {
  readonly radius: number;
  readonly blocks: number;
}

/** The world coordinates of a point at an angle and radius from the focus. */
export function atArc(radius: number, angle: number): [number, number] {
  return [radius * Math.sin(angle), radius * Math.cos(angle)];
}

/**
 * Places blocks of at most `rows` rows of at most `columns` seats, first tier first, left to right. Tiers get
 * blocks in proportion to their length and share one spread, so that the sides of the hall are straight aisles.
 */
export function placeBlocks(blocks: number, rows: number, columns: number): BlockPlace[] {
  const width = columns * SEAT_PITCH + BLOCK_GAP;
  const depth = rows * ROW_PITCH + TIER_GAP;
  const tiers = fillTiers(blocks, width, depth);
  const spread = Math.max(...tiers.map((tier) => (tier.blocks * width) / tier.radius));
  const places: BlockPlace[] = [];
  for (const tier of tiers) {
    for (let i = 0; i < tier.blocks; i++) {
      places.push({ radius: tier.radius, angle: ((i + 0.5) / tier.blocks - 0.5) * spread });
    }
  }
  return places;
}

function fillTiers(blocks: number, width: number, depth: number): Tier[] {
  const room: number[] = [];
  let total = 0;
  while (total < blocks) {
    const radius = FRONT_RADIUS + room.length * depth;
    const fits = Math.max(1, Math.floor((MAX_SPREAD * radius) / width));
    room.push(fits);
    total += fits;
  }
  // Blocks that a full house would have and this one lacks are left out evenly, the running total being rounded
  // so that the shares always add up; no tier can get more than it has room for.
  let before = 0;
  let given = 0;
  return room
    .map((fits, i) => {
      before += fits;
      const upTo = Math.round((before * blocks) / total);
      const tier = { radius: FRONT_RADIUS + i * depth, blocks: upTo - given };
      given = upTo;
      return tier;
    })
    .filter((tier) => tier.blocks > 0);
}

/** The outline of a block with its row labels, as a polygon x, y, x, y, … */
export function blockOutline(place: BlockPlace, rows: number, columns: number): Float32Array {
  const half = (columns * SEAT_PITCH) / 2 + LABEL_ROOM;
  const inner = place.radius - ROW_PITCH / 2;
  const outer = place.radius + (rows - 0.5) * ROW_PITCH;
  return sector(inner, half / inner, outer, half / outer, place.angle);
}

/** The stage's outline, its front edge parallel to the first row, sized to the hall that looks at it. */
export function stageOutline(places: readonly BlockPlace[], columns: number): Float32Array {
  const first = places[0]?.radius ?? FRONT_RADIUS;
  const reach = Math.max(...places.map((place) => (place.radius === first ? Math.abs(place.angle) : 0)));
  const front = first - STAGE_GAP;
  const half = (reach + (columns * SEAT_PITCH) / 2 / first) * 2 * STAGE_SHARE;
  const depth = Math.max(STAGE_MIN_DEPTH, Math.min(STAGE_MAX_DEPTH, half * front * 0.3));
  return sector(front - depth, half * 0.84, front, half, 0);
}

function sector(
  inner: number,
  innerHalf: number,
  outer: number,
  outerHalf: number,
  angle: number,
): Float32Array {
  const points: number[] = [];
  for (let i = 0; i <= ARC_PIECES; i++)
    points.push(...atArc(inner, angle + innerHalf * ((2 * i) / ARC_PIECES - 1)));
  for (let i = ARC_PIECES; i >= 0; i--)
    points.push(...atArc(outer, angle + outerHalf * ((2 * i) / ARC_PIECES - 1)));
  return Float32Array.from(points);
}
