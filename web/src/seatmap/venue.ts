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

/** Radius of the first row in a hall of one block: 20 seats curve less than a row's depth. */
const SINGLE_BLOCK_RADIUS = 1500;
/** Radius of the first row at least in halls of several blocks. */
const FRONT_RADIUS = 900;
/** Room between the outermost seats and a block's edge: the row's label stands there. */
export const LABEL_ROOM = 26;
/** Between blocks of one tier there must be room for two row labels and an aisle. */
const BLOCK_GAP = 104;
export const TIER_GAP = 60;
/** The fan of several blocks. A wider one bends towards a wreath, whose middle is wasted screen. */
export const MAX_SPREAD = (92 * Math.PI) / 180;
/** Halls take the number of tiers that shows their seats largest on a screen of these proportions. */
export const SCREEN_ASPECT = 1.5;

const STAGE_GAP = 96;
const STAGE_SHARE = 0.36;
const STAGE_MIN_DEPTH = 44;
const STAGE_MAX_DEPTH = 320;
/** Depth of the stage in relation to half its front. */
const STAGE_DEPTH_SHARE = 0.3;
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
 * Places blocks of at most `rows` rows of at most `columns` seats, first tier first, left to right. The tiers share one
 * spread, so that the sides of the hall are straight aisles.
 */
export function placeBlocks(blocks: number, rows: number, columns: number): BlockPlace[] {
  if (blocks === 1) return [{ radius: SINGLE_BLOCK_RADIUS, angle: 0 }];
  const width = columns * SEAT_PITCH + BLOCK_GAP;
  const tiers = shareOut(blocks, bestTiers(blocks, width, rows * ROW_PITCH + TIER_GAP));
  const spread = Math.max(...tiers.map((tier) => (tier.blocks * width) / tier.radius));
  return tiers.flatMap(({ radius, blocks: count }) =>
    Array.from({ length: count }, (_, i) => ({ radius, angle: ((i + 0.5) / count - 0.5) * spread })),
  );
}

/** The tiers, full, with room for all blocks, that fill a screen best. More tiers make a deeper, narrower hall. */
function bestTiers(blocks: number, width: number, depth: number): Tier[] {
  let best: Tier[] = [];
  let bestSize = Infinity;
  for (let count = 1; count <= blocks; count++) {
    const radius = frontRadius(blocks, count, width, depth);
    const outer = radius + count * depth;
    const across = 2 * outer * Math.sin(MAX_SPREAD / 2);
    const size = Math.max(across / SCREEN_ASPECT, outer - radius * Math.cos(MAX_SPREAD / 2));
    if (size < bestSize) {
      bestSize = size;
      best = fullTiers(radius, count, width, depth);
    }
    if (radius === FRONT_RADIUS) break;
  }
  return best;
}

/** The smallest radius at which so many tiers have room for all blocks. Room grows with the radius: bisection. */
function frontRadius(blocks: number, tiers: number, width: number, depth: number): number {
  let low = FRONT_RADIUS;
  let high = FRONT_RADIUS + ((blocks + 1) * width) / MAX_SPREAD;
  if (roomIn(fullTiers(low, tiers, width, depth)) >= blocks) return low;
  while (high - low > 1) {
    const middle = (low + high) / 2;
    if (roomIn(fullTiers(middle, tiers, width, depth)) >= blocks) high = middle;
    else low = middle;
  }
  return high;
}

function fullTiers(radius: number, count: number, width: number, depth: number): Tier[] {
  return Array.from({ length: count }, (_, i) => ({
    radius: radius + i * depth,
    blocks: Math.max(1, Math.floor((MAX_SPREAD * (radius + i * depth)) / width)),
  }));
}

function roomIn(tiers: readonly Tier[]): number {
  return tiers.reduce((sum, tier) => sum + tier.blocks, 0);
}

/**
 * Leaves out, evenly, the blocks that a full house would have and this one lacks. The running total is rounded, so that
 * the shares add up, and no tier gets more than it has room for.
 */
function shareOut(blocks: number, full: readonly Tier[]): Tier[] {
  const total = roomIn(full);
  let room = 0;
  let given = 0;
  const tiers = full.map((tier) => {
    room += tier.blocks;
    const upTo = Math.round((room * blocks) / total);
    const share = { radius: tier.radius, blocks: upTo - given };
    given = upTo;
    return share;
  });
  return tiers.filter((tier) => tier.blocks > 0);
}

/**
 * The outline of a block with its row labels, as a polygon x, y, x, y, … `room` is left at both sides of the rows, `head`
 * above the first.
 */
export function blockOutline(
  place: BlockPlace,
  rows: number,
  columns: number,
  room = LABEL_ROOM,
  head = 0,
): Float32Array {
  const half = (columns * SEAT_PITCH) / 2 + room;
  const inner = place.radius - ROW_PITCH / 2 - head;
  const outer = place.radius + (rows - 0.5) * ROW_PITCH;
  return sector(inner, half / inner, outer, half / outer, place.angle);
}

/** The stage's outline, its front edge parallel to the first row, sized to the hall that looks at it. */
export function stageOutline(places: readonly BlockPlace[], columns: number): Float32Array {
  const first = places[0]?.radius ?? FRONT_RADIUS;
  const reach = Math.max(...places.map((place) => (place.radius === first ? Math.abs(place.angle) : 0)));
  return stageBefore(first, reach + (columns * SEAT_PITCH) / 2 / first);
}

/** The stage before seats that begin at a radius and reach to an angle at both sides. */
export function stageBefore(first: number, reach: number): Float32Array {
  const front = first - STAGE_GAP;
  const half = reach * 2 * STAGE_SHARE;
  const depth = Math.max(STAGE_MIN_DEPTH, Math.min(STAGE_MAX_DEPTH, half * front * STAGE_DEPTH_SHARE));
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
