/*
 * Where sections of unequal sizes stand: in the organizer's order, left to right and from the stage backwards, in as
 * many tiers as show them largest. Nobody has told where they really are; their order and their rows are known.
 */
import { type BlockPlace, MAX_SPREAD, SCREEN_ASPECT, TIER_GAP } from './venue';

/** What a section takes, labels and title included, in world units. */
export interface BlockSize {
  readonly width: number;
  readonly depth: number;
}

/** Radius of the inner edge of the first tier at least: rows then curve as little as in a hall of one block. */
const FRONT_RADIUS = 1500;
/** Room for the stage in front of the first tier, as far as choosing the tiers goes. */
const STAGE_ROOM = 150;

/** How much smaller seats may be shown for tiers that are the same on both sides of the stage. */
const LOPSIDED_COST = 0.5;

/** Sections side by side. */
interface Tier {
  readonly blocks: readonly BlockSize[];
  readonly width: number;
  readonly depth: number;
}

/** Where the sections stand; `radius` is that of the inner edge of each. */
export interface Seating {
  readonly places: readonly BlockPlace[];
  readonly front: number;
  /** Of the widest tier, in world units. */
  readonly width: number;
}

/** Places sections, which are never reordered; there is at least one. */
export function placeSections(blocks: readonly BlockSize[]): Seating {
  let best: { tiers: readonly Tier[]; front: number } = { tiers: [], front: FRONT_RADIUS };
  let bestSize = Infinity;
  let before = 0;
  for (let count = 1; count <= blocks.length; count++) {
    const tiers = inTiers(blocks, count);
    if (tiers.length === before) continue;
    before = tiers.length;
    const front = frontRadius(tiers);
    const size = sizeOnScreen(tiers, front) * (1 + LOPSIDED_COST * Math.max(...tiers.map(lopsided)));
    if (size < bestSize) {
      bestSize = size;
      best = { tiers, front };
    }
  }
  let radius = best.front;
  const places = best.tiers.flatMap(({ blocks: side, width, depth }) => {
    const at = radius;
    radius += depth + TIER_GAP;
    let from = -width / 2;
    return side.map((block): BlockPlace => {
      from += block.width;
      return { radius: at, angle: (from - block.width / 2) / at };
    });
  });
  return { places, front: best.front, width: Math.max(...best.tiers.map((tier) => tier.width)) };
}

/** The narrowest tiers, at most so many, that hold all blocks in their order. */
function inTiers(blocks: readonly BlockSize[], count: number): Tier[] {
  let low = Math.max(...blocks.map((block) => block.width));
  let high = blocks.reduce((sum, block) => sum + block.width, 0);
  while (high - low > 1) {
    const middle = (low + high) / 2;
    if (broken(blocks, middle).length <= count) high = middle;
    else low = middle;
  }
  return broken(blocks, high);
}

/** Fills tier after tier up to a width, as a line of text is broken. */
function broken(blocks: readonly BlockSize[], most: number): Tier[] {
  const tiers: { blocks: BlockSize[]; width: number; depth: number }[] = [];
  for (const block of blocks) {
    const last = tiers.at(-1);
    if (last && last.width + block.width <= most) {
      last.blocks.push(block);
      last.width += block.width;
      last.depth = Math.max(last.depth, block.depth);
    } else {
      tiers.push({ blocks: [block], width: block.width, depth: block.depth });
    }
  }
  return tiers;
}

/** The smallest radius at which no tier bends further than a fan. */
function frontRadius(tiers: readonly Tier[]): number {
  let front = FRONT_RADIUS;
  let behind = 0;
  for (const { width, depth } of tiers) {
    front = Math.max(front, width / MAX_SPREAD - behind);
    behind += depth + TIER_GAP;
  }
  return front;
}

/** How unlike the two sides of a tier are: 0 where each block has its like at the other side. */
function lopsided({ blocks, width }: Tier): number {
  const unlike = blocks.reduce((sum, block, i) => sum + Math.abs(block.width - (blocks.at(-1 - i)?.width ?? 0)), 0);
  return unlike / width;
}

/** How large the house is in relation to a screen; the smaller, the larger its seats are shown. */
function sizeOnScreen(tiers: readonly Tier[], front: number): number {
  let radius = front;
  let across = 0;
  let top = Infinity;
  for (const { width, depth } of tiers) {
    const half = width / radius / 2;
    across = Math.max(across, 2 * (radius + depth) * Math.sin(half));
    top = Math.min(top, radius * Math.cos(half));
    radius += depth + TIER_GAP;
  }
  return Math.max(across / SCREEN_ASPECT, radius - TIER_GAP - top + STAGE_ROOM);
}
