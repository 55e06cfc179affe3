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

describe('while holds are away', () => {
  const holding: HoldingsAction[] = [toggle(4), { type: 'sent', seats: [4] }, granted([4])];
  const unavailable: HoldingsAction = { type: 'refused', code: 'holds_unavailable', undo: false };

  it('keeps what was chosen, without a countdown and without telling of a loss', () => {
    const h = run(...holding, { type: 'away' });
    expect(h).toMatchObject({ wanted: [4], held: [], expiresAt: null, lost: [], refusal: null, away: true });
    expect(toSend(h)).toBeNull();
  });

  it('says the same when the server refuses first', () => {
    const h = run(...holding, toggle(5), { type: 'sent', seats: [4, 5] }, unavailable);
    expect(h).toMatchObject({ wanted: [4, 5], held: [], sending: null, refusal: null, away: true });
    expect(toSend(h)).toBeNull();
  });

  it('lets one choose on, up to the limit, and asks nobody', () => {
    const h = run({ type: 'away' }, toggle(1, 2), toggle(2, 2), toggle(3, 2), toggle(1, 2));
    expect(h.wanted).toEqual([2]);
    expect(toSend(h)).toBeNull();
  });

  it('does not take an old answer about holds for the truth', () => {
    const h = run(...holding, { type: 'away' }, { type: 'server', seats: [], expiresAt: null });
    expect(h.wanted).toEqual([4]);
  });

  it('drops and tells what others have bought', () => {
    const h = run({ type: 'away' }, toggle(1), toggle(2), { type: 'taken', seats: [2] });
    expect(h).toMatchObject({ wanted: [1], lost: [2], lostHeld: false });
  });

  it('asks for the choice as soon as holds are back, and tells who was faster', () => {
    const back = run(...holding, { type: 'away' }, toggle(5), { type: 'back' });
    expect(toSend(back)).toEqual([4, 5]);
    const h = run(
      ...holding,
      { type: 'away' },
      toggle(5),
      { type: 'back' },
      { type: 'sent', seats: [4, 5] },
      granted([5], [4]),
    );
    expect(h).toMatchObject({ wanted: [5], held: [5], lost: [4], lostHeld: false, away: false });
    expect(h.expiresAt).toBe(Date.parse(EXPIRES));
    expect(toSend(h)).toBeNull();
  });

  it('gives back what one let go meanwhile, since the hold may have lived on', () => {
    const letGo = run(...holding, { type: 'away' }, toggle(4), { type: 'back' });
    expect(toSend(letGo)).toEqual([]);
    const booked = run(...holding, { type: 'away' }, { type: 'booked' }, { type: 'back' });
    expect(toSend(booked)).toEqual([]);
    expect(toSend(run({ type: 'away' }, { type: 'back' }))).toBeNull();
  });

  it('stays away over a booking', () => {
    expect(run({ type: 'away' }, toggle(4), { type: 'booked' })).toEqual({ ...NO_HOLDINGS, away: true });
  });

  it('tries again when asked to, and is back with the first that is granted', () => {
    const refused = run(...holding, toggle(5), { type: 'sent', seats: [4, 5] }, unavailable);
    const due = holdingsReducer(refused, { type: 'renew' });
    expect(toSend(due)).toEqual([4, 5]);
    const sent = holdingsReducer(due, { type: 'sent', seats: [4, 5] });
    expect(toSend(holdingsReducer(sent, unavailable))).toBeNull();
    expect(holdingsReducer(sent, granted([4, 5]))).toMatchObject({
      away: false,
      unsure: false,
      held: [4, 5],
    });
  });

  it('does not ask in a loop for what is refused for good', () => {
    const h = run(
      ...holding,
      { type: 'away' },
      { type: 'back' },
      { type: 'sent', seats: [4] },
      { type: 'refused', code: 'waitlist_first', undo: true },
    );
    expect(h).toMatchObject({ wanted: [], refusal: 'waitlist_first' });
    expect(toSend(h)).toBeNull();
  });
});
