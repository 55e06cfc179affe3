import { describe, expect, it } from 'vitest';
import { ApiError, hasCode, isDefinite, isNotFound, problemFrom } from './problem';

describe('problemFrom', () => {
  it('reads code, detail and the extras beside them', () => {
    const error = problemFrom(
      409,
      {
        title: 'Conflict',
        status: 409,
        code: 'seats_unavailable',
        detail: 'Taken.',
        seat_numbers: [4, 9, 'x'],
      },
      null,
    );
    expect(error.code).toBe('seats_unavailable');
    expect(error.detail).toBe('Taken.');
    expect(error.seats('seat_numbers')).toEqual([4, 9]);
    expect(error.text('seat_numbers')).toBeNull();
    expect(error.retryAfter).toBeNull();
  });

  it('names bad fields plainly, however the server located them', () => {
    const error = problemFrom(
      422,
      {
        code: 'invalid',
        errors: [
          { field: 'name', message: 'Too long.' },
          { location: 'body.ends_at', message: 'Too early.' },
          { message: 'nowhere' },
          'nonsense',
        ],
      },
      null,
    );
    expect(error.errors).toEqual([
      { field: 'name', message: 'Too long.' },
      { field: 'ends_at', message: 'Too early.' },
    ]);
  });

  it.each([
    ['the header', '7', {}, 7],
    ['the body', null, { retry_after: 3 }, 3],
    ['the header over the body', '1', { retry_after: 3 }, 1],
    ['no one', null, {}, null],
    ['a date, which we do not read', 'Wed, 21 Oct 2026 07:28:00 GMT', {}, null],
  ])('takes the wait from %s', (_, header, body, want) => {
    expect(problemFrom(409, { code: 'seats_held', ...body }, header).retryAfter).toBe(want);
  });

  it.each([null, 'a page', 42, [], { code: 7 }])('makes do with a body that is no problem: %j', (body) => {
    const error = problemFrom(502, body, null);
    expect(error.code).toBe('http_502');
    expect(error.errors).toEqual([]);
  });
});

describe('telling errors apart', () => {
  it('goes by the code', () => {
    const error: unknown = new ApiError({ status: 409, code: 'seat_limit' });
    expect(hasCode(error, 'seat_limit', 'sold_out')).toBe(true);
    expect(hasCode(error, 'sold_out')).toBe(false);
    expect(hasCode(new Error('seat_limit'), 'seat_limit')).toBe(false);
    expect(isNotFound(new ApiError({ status: 404, code: 'not_found' }))).toBe(true);
  });
});

it.each([
  [409, 'seats_unavailable', true],
  [422, 'invalid', true],
  [409, 'duplicate_request', false],
  [429, 'too_many_requests', false],
  [503, 'busy', false],
  [0, 'offline', false],
])('that a request was refused with %i %s settles it: %s', (status, code, settled) => {
  expect(isDefinite(new ApiError({ status, code }))).toBe(settled);
  expect(isDefinite(new Error(code))).toBe(false);
});
