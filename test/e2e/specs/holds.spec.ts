// Holds end by themselves: everybody sees it, and it promotes who waits.
import {
  type BookingBody,
  book,
  demoEvent,
  hold,
  signInDemo,
  USER1,
  USER2,
  USER3,
} from '../support/demo.ts';
import { expect, test } from '../support/fixtures.ts';
import { expectSeats, findOnMap } from '../support/seats.ts';
import { watchReloads, watchSeat } from '../support/witness.ts';

test.use({ serverOptions: { demo: true, env: { HAPPENING_HOLD_TTL: '3s' } } });

test('the hold of a browser that is cut off counts down, and both see its end', async ({
  server,
  browserOf,
}) => {
  const event = await demoEvent(server, 'Briefly held', 10);
  const holder = await browserOf();
  const watcher = await browserOf();
  await signInDemo(holder, server, USER1, `/events/${event.id}`);
  await watcher.goto(`/events/${event.id}`);
  await expectSeats(holder, [5], 'free');
  await expectSeats(watcher, [5], 'free');
  const neverReloaded = [await watchReloads(holder), await watchReloads(watcher)];

  const at = await findOnMap(holder, 5);
  const taken = await watchSeat(watcher, 5, 'being chosen by someone');
  await holder.mouse.click(at.x, at.y);
  await expect(holder.getByRole('timer')).toHaveText(/^0:0[123]$/);
  await taken();
  // A browser that is cut off can't renew, whatever its pace.
  await holder.context().setOffline(true);
  await expectSeats(watcher, [5], 'free');
  await holder.context().setOffline(false);
  await expect(holder.getByText('A seat is no longer held for you')).toBeVisible();
  await expectSeats(holder, [5], 'free');
  await expect(holder.getByRole('timer')).toHaveCount(0);
  for (const stayed of neverReloaded) await stayed();
});

test('the end of a hold promotes who waits', async ({ server, browserOf }) => {
  const event = await demoEvent(server, 'Two chairs', 2);
  const page = await browserOf();
  await signInDemo(page, server, USER3, `/events/${event.id}`);
  await expectSeats(page, [1, 2], 'free');
  const neverReloaded = await watchReloads(page);

  const sold = await book(server, USER2, event, 1, [2]);
  await hold(server, USER1, event, [1]);
  const waits = await book(server, USER3, event, 2);
  expect(waits.status).toBe('waiting');
  await expect(page.getByRole('link', { name: 'You are number 1 in line' })).toBeVisible();
  await hold(server, USER1, event, [1]);
  await server.call(USER2, 'POST', `/bookings/${sold.id}/cancel`);
  const still = await server.call<BookingBody>(USER3, 'GET', `/bookings/${waits.id}`);
  expect(still.status, 'a held seat is not given away').toBe('waiting');
  await expect(page.getByRole('link', { name: /You have 2 seats\s*Row A: 1–2/ })).toBeVisible();
  await neverReloaded();
});
