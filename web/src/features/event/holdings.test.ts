import { describe, expect, it } from 'vitest';
import { type Holdings, type HoldingsAction, holdingsReducer, NO_HOLDINGS, toSend } from './holdings';

const EXPIRES = '2026-11-22T12:02:00Z';
const granted = (list: number[], conflicts: number[] = []): HoldingsAction => ({
  type: 'granted',
  result: { granted: list, conflicts, expires_at: EXPIRES },
});
const toggle = (seat: number, limit = 10): HoldingsAction => ({ type: 'toggle', seat, limit });

function run(...actions: HoldingsAction[]): Holdings {
  return actions.reduce(holdingsReducer, NO_HOLDINGS);
}

describe('choosing', () => {
  it('asks the server for what is wanted, once', () => {
    const chosen = run(toggle(4));
    expect(toSend(chosen)).toEqual([4]);
    const sent = holdingsReducer(chosen, { type: 'sent', seats: [4] });
    expect(toSend(sent)).toBeNull();
    const held = holdingsReducer(sent, granted([4]));
    expect(toSend(held)).toBeNull();
    expect(held.expiresAt).toBe(Date.parse(EXPIRES));
  });

  it('sends what was chosen meanwhile with the next request', () => {
    const h = run(toggle(4), { type: 'sent', seats: [4] }, toggle(5), granted([4]));
    expect(h.wanted).toEqual([4, 5]);
    expect(toSend(h)).toEqual([4, 5]);
  });

  it('gives a seat back by a second press, and the last one with an empty list', () => {
    const h = run(toggle(4), { type: 'sent', seats: [4] }, granted([4]), toggle(4));
    expect(toSend(h)).toEqual([]);
  });

  it('stops at the limit and says so', () => {
    const h = run(toggle(1, 2), toggle(2, 2), toggle(3, 2));
    expect(h.wanted).toEqual([1, 2]);
    expect(h.refusal).toBe('limit');
    expect(holdingsReducer(h, toggle(2, 2)).refusal).toBeNull();
  });
});

describe('losing', () => {
  it('drops and tells what somebody else was faster at', () => {
    const h = run(toggle(4), toggle(5), { type: 'sent', seats: [4, 5] }, granted([4], [5]));
    expect(h.wanted).toEqual([4]);
    expect(h.lost).toEqual([5]);
    expect(h.lostHeld).toBe(false);
    expect(toSend(h)).toBeNull();
  });

  it('keeps a choice that could not be sent, without sending it in a loop', () => {
    const h = run(toggle(4), { type: 'sent', seats: [4] }, { type: 'refused', code: 'offline', undo: false });
    expect(h.wanted).toEqual([4]);
    expect(toSend(h)).toBeNull();
    expect(toSend(holdingsReducer(h, { type: 'renew' }))).toEqual([4]);
  });

  it('goes back to what is held when the choice is refused for good', () => {
    const h = run(
      toggle(4),
      { type: 'sent', seats: [4] },
      granted([4]),
      toggle(5),
      { type: 'sent', seats: [4, 5] },
      { type: 'refused', code: 'seat_limit', undo: true },
    );
    expect(h.wanted).toEqual([4]);
    expect(toSend(h)).toBeNull();
  });

  it('takes the news that holds have ended', () => {
    const h = run(toggle(4), { type: 'sent', seats: [4] }, granted([4]), {
      type: 'server',
      seats: [],
      expiresAt: null,
    });
    expect(h).toMatchObject({ wanted: [], held: [], lost: [4], lostHeld: true, expiresAt: null });
  });
});

describe('the server', () => {
  it('restores holds from before the page was opened', () => {
    const h = run({ type: 'server', seats: [7, 8], expiresAt: EXPIRES });
    expect(h).toMatchObject({ wanted: [7, 8], held: [7, 8] });
    expect(toSend(h)).toBeNull();
  });

  it('is not listened to while a newer answer is under way', () => {
    const h = run(toggle(4), { type: 'sent', seats: [4] }, { type: 'server', seats: [], expiresAt: null });
    expect(h.wanted).toEqual([4]);
  });

  it('does not undo a choice that has not been sent yet', () => {
    const h = run(toggle(4), { type: 'server', seats: [], expiresAt: null });
    expect(toSend(h)).toEqual([4]);
  });

  it('renews with the same list', () => {
    const h = run(toggle(4), { type: 'sent', seats: [4] }, granted([4]), { type: 'renew' });
    expect(toSend(h)).toEqual([4]);
    expect(toSend(run({ type: 'renew' }))).toBeNull();
  });

  it('leaves nothing behind after booking', () => {
    expect(run(toggle(4), { type: 'sent', seats: [4] }, granted([4]), { type: 'booked' })).toEqual(
      NO_HOLDINGS,
    );
  });
});
