/**
 * The live seat map, pure and framework-free: layout + snapshot + versioned deltas → state → drawing. Nothing here
 * fetches, knows React, or imports anything from outside this folder.
 *
 * - `House` is how the organizer has laid the seats out; `houseLayout` and `defaultLayout` say where they lie on the
 *   map, `seatName` what to call them.
 * - `startSync`, `receiveSnapshot`, `receiveDelta` keep the server's truth; `Mine` is the overlay that only I see.
 * - `SeatMap` shows both in an element and reports presses; `nextSeat` moves the keyboard through its DOM twin.
 */
export { CanvasSeatRenderer } from './canvas';
export { SeatMap, type SeatMapOptions } from './controller';
export type { Point, Rect, Size } from './geometry';
export { drawSeat } from './glyphs';
export { House, type HouseRow, type HouseSection, rowLabel, SEATS_PER_ROW } from './house';
export {
  boundsOfSeats,
  defaultLayout,
  houseLayout,
  type Layout,
  MAX_SEATS,
  numberOnSeat,
  ROWS_PER_SECTION,
  rowOfSeat,
  type SeatName,
  type SeatRow,
  type SeatSection,
  seatName,
  sectionOfSeat,
} from './layout';
export { changedLooks, isChoosable, Look, lookOf, looksOf, type Mine, NOTHING_MINE } from './looks';
export { moveForKey, type NavKey, type NavMove, nextSeat, ROWS_PER_PAGE } from './nav';
export type { SeatMarks, SeatRenderer } from './renderer';
export {
  applyDelta,
  availableSeats,
  type Delta,
  type DeltaOutcome,
  decodeStates,
  formatVersion,
  parseVersion,
  readDelta,
  readSnapshot,
  type SeatCounts,
  SeatDataError,
  SeatState,
  type Seats,
  type Snapshot,
  type SnapshotBody,
  stateOf,
  type Version,
  withoutHolds,
} from './state';
export {
  beginRefetch,
  isLive,
  MAX_BUFFERED_DELTAS,
  receiveDelta,
  receiveLive,
  receiveSnapshot,
  type SeatSync,
  type SyncStep,
  startSync,
} from './sync';
export { DARK_THEME, LIGHT_THEME, type SeatTheme } from './theme';
