import { describe, expect, it } from 'vitest';
import { withChanges } from './preferences';

describe('changed preferences', () => {
  it('keep their order and what was not changed', () => {
    const known = {
      types: [
        { type: 'booking_confirmed', app: true, email: true },
        { type: 'event_updated', app: true, email: true },
      ],
    };
    const changes = [{ type: 'event_updated', app: true, email: false }];
    expect(withChanges(known, changes)).toEqual({ types: [known.types[0], changes[0]] });
  });
});
