// The README's pictures, from the demo.
import { accessibleEverywhere } from '../support/axe.ts';
import { ADMIN, type EventBody, hold, ORGANIZER, signInDemo, USER1, USER2, USER3 } from '../support/demo.ts';
import { expect, test } from '../support/fixtures.ts';
import { showSeats, take } from '../support/pictures.ts';
import { findOnMap } from '../support/seats.ts';
import type { Server } from '../support/server.ts';

test.use({ serverOptions: { demo: true, label: 'pictures' } });

test('the pictures of the README', async ({ server, browserOf }) => {
  const events = await demoEvents(server);
  const small = which(events, (e) => e.total_slots === 20);
  const medium = which(events, (e) => e.total_slots === 400);
  const large = which(events, (e) => e.total_slots === 20_000);
  const full = which(events, (e) => e.available_slots === 0);
  await server.call(USER1, 'POST', '/bookings', { event_id: medium.id, seats: 3 });
  await server.call(USER1, 'POST', '/bookings', { event_id: full.id, seats: 2 });

  const user = await browserOf();
  await signInDemo(user, server, USER1);
  await expect(user.getByRole('link', { name: medium.name })).toBeVisible();
  await take(user, 'discover');

  await test.step('the event in the middle of its sale', async () => {
    await user.goto(`/events/${small.id}`);
    await expect(user.getByRole('gridcell')).toHaveCount(20);
    await hold(server, USER2, small, [13]);
    await hold(server, USER3, small, [17, 18]);
    for (const number of [10, 11]) {
      const at = await findOnMap(user, number);
      await user.mouse.click(at.x, at.y);
    }
    await expect(user.getByRole('timer')).toBeVisible();
    await user.mouse.move(0, 0);
    await take(user, 'event', (size) => showSeats(user, size === 'phone'));
  });

  await user.goto('/bookings');
  await expect(user.getByRole('list', { name: 'Coming up' }).getByRole('listitem')).not.toHaveCount(0);
  await take(user, 'bookings');

  await user.goto('/profile/notifications');
  await expect(user.getByRole('heading', { name: 'Your bookings' })).toBeVisible();
  await take(user, 'profile');

  const organizer = await browserOf();
  await signInDemo(organizer, server, ORGANIZER, `/manage/events/${medium.id}`);
  await expect(organizer.getByText('Seats sold')).toBeVisible();
  await take(organizer, 'organizer');

  const admin = await browserOf();
  await signInDemo(admin, server, ADMIN, `/manage/${medium.org_id}/people`);
  await expect(admin.getByRole('list', { name: 'Members' }).getByRole('listitem')).not.toHaveCount(0);
  await take(admin, 'people');

  await test.step('a large hall', async () => {
    await user.goto(`/events/${large.id}`);
    await expect(user.getByRole('gridcell').first()).toBeAttached();
    await accessibleEverywhere(user, 'event with 20,000 seats');
    await take(user, 'arena', () => showSeats(user, true));
  });
});

type Listed = EventBody & { total_slots: number; available_slots: number };

async function demoEvents(server: Server): Promise<Listed[]> {
  const { items } = await server.call<{ items: Listed[] }>(USER1, 'GET', '/events?limit=50');
  return items;
}

function which(events: Listed[], fits: (event: Listed) => boolean): Listed {
  const event = events.find(fits);
  if (!event) throw new Error(`the demo has no event that fits ${fits}`);
  return event;
}
