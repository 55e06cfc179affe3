import { describe, expect, it } from 'vitest';
import { readEventMessages, readUserMessages } from './messages';

describe('an event channel', () => {
  it.each([
    [{ version: 'a:3', seats: [[1, 2]] }, [{ kind: 'seats', delta: { version: 'a:3', seats: [[1, 2]] } }]],
    [{ version: 'a:3' }, [{ kind: 'seats', delta: { version: 'a:3', seats: [] } }]],
    [{ viewers: 7 }, [{ kind: 'viewers', viewers: 7 }]],
    [{ event: { revision: 2, status: 'cancelled' } }, [{ kind: 'event' }]],
    [{ live: false }, [{ kind: 'live', live: false }]],
    [{ sales: { available_slots: 3, waiting_parties: 0 } }, [{ kind: 'sales', available: 3, waiting: 0 }]],
  ])('%j', (data, messages) => expect(readEventMessages(data)).toEqual(messages));

  it.each([null, 'x', 4, [], { version: 3 }, { viewers: '7' }, { sales: {} }, { live: 'yes' }])(
    'drops %j',
    (data) => {
      expect(readEventMessages(data)).toEqual([]);
    },
  );

  it('drops what is no seat among those that are', () => {
    expect(readEventMessages({ version: 'a:1', seats: [[1, 1], [2], 'x', [3, 0.5]] })).toEqual([
      { kind: 'seats', delta: { version: 'a:1', seats: [[1, 1]] } },
    ]);
  });
});

describe("a person's channel", () => {
  it.each([
    [
      { booking: { id: 'b', event_id: 'e', status: 'confirmed' } },
      [{ kind: 'booking', bookingId: 'b', eventId: 'e', status: 'confirmed' }],
    ],
    [{ notification: { id: 'n', type: 't', title: 'Hello' } }, [{ kind: 'notification', title: 'Hello' }]],
    [{ holds: { event_id: 'e' } }, [{ kind: 'holds', eventId: 'e' }]],
    [{ positions: { event_id: 'e' } }, [{ kind: 'positions', eventId: 'e' }]],
    [{ refresh: true }, [{ kind: 'refresh' }]],
    [{ refresh: 'now' }, []],
    [{ booking: { id: 3 } }, []],
    [undefined, []],
  ])('%j', (data, messages) => expect(readUserMessages(data)).toEqual(messages));
});
