// The map stays right, and what one may see ends when it should.
import { accessible } from '../support/axe.ts';
import { book, demoEvent, hold, ORGANIZER, signInDemo, USER1, USER2, USER3 } from '../support/demo.ts';
import { expect, test } from '../support/fixtures.ts';
import { signOut } from '../support/people.ts';
import { expectSeats, findOnMap, statesOf } from '../support/seats.ts';
import { watchReloads } from '../support/witness.ts';

test.use({ serverOptions: { demo: true } });

/** The contract: access that ends, ends on open connections within this. */
const CUT_WITHIN_MS = 5000;

/** A tap that chose a seat shows within this. */
const TAP_LIMIT_MS = 2000;

/** How the API's list calls the states that the map tells in words. */
const SAID: Record<string, string> = {
  free: 'free',
  held: 'being chosen by someone',
  booked: 'sold',
  blocked: 'not for sale',
};

test('after a cut the map equals the truth of the server', async ({ server, browserOf }) => {
  const event = await demoEvent(server, 'Reconnection', 40);
  const page = await browserOf();
  await signInDemo(page, server, USER1, `/events/${event.id}`);
  await expectSeats(page, [1, 40], 'free');
  const neverReloaded = await watchReloads(page);

  await page.context().setOffline(true);
  await expect(page.getByText('No live connection')).toBeVisible();
  await accessible(page, 'event, cut off');
  const kept = await book(server, USER2, event, 3, [4, 5, 6]);
  const gone = await book(server, USER3, event, 2, [21, 22]);
  await server.call(USER3, 'POST', `/bookings/${gone.id}/cancel`);
  await server.call(USER2, 'POST', `/bookings/${kept.id}/cancel-seats`, { seat_numbers: [5] });
  await hold(server, USER3, event, [30, 31]);
  await expectSeats(page, [4, 6, 30], 'free');

  await page.context().setOffline(false);
  await expect(page.getByText('No live connection')).toBeHidden();
  await expectSeats(page, [4, 6], 'sold');
  const truth = await server.call<{ items: { seat_number: number; state: string }[] }>(
    USER1,
    'GET',
    `/events/${event.id}/seats?format=list&limit=100`,
  );
  await expect
    .poll(() => statesOf(page))
    .toEqual(truth.items.map(({ state }) => SAID[state] ?? `unknown: ${state}`));
  await book(server, USER2, event, 1, [40]);
  await expectSeats(page, [40], 'sold');
  await neverReloaded();
});

test('signing out ends what comes in over an open connection', async ({ server, browserOf }) => {
  const event = await demoEvent(server, 'For members', 20, { visibility: 'members' });
  const path = `/events/${event.id}`;
  const left = await browserOf();
  const frames: { at: number; text: string }[] = [];
  let closed = 0;
  left.on('websocket', (socket) => {
    socket.on('close', () => {
      closed = Date.now();
    });
    socket.on('framereceived', ({ payload }) => {
      frames.push({ at: Date.now(), text: payload.toString() });
    });
  });
  await signInDemo(left, server, USER1, path);
  await expectSeats(left, [1], 'free');
  const stays = await browserOf();
  await signInDemo(stays, server, USER2, path);
  await book(server, USER3, event, 1, [1]);
  await expectSeats(left, [1], 'sold');

  const otherTab = await left.context().newPage();
  await otherTab.goto('/');
  await signOut(otherTab);
  await expect(otherTab.getByRole('banner').getByRole('link', { name: 'Sign in' })).toBeVisible();
  const out = Date.now();
  await expect.poll(() => closed, { timeout: CUT_WITHIN_MS }).toBeGreaterThan(0);
  await book(server, USER3, event, 1, [2]);
  await expectSeats(stays, [2], 'sold');
  const late = frames.filter(({ at, text }) => at > Math.max(out, closed) && text.includes(event.id));
  expect(late.filter(({ text }) => text.includes('"pub"'))).toEqual([]);
  await left.goto(path);
  await expect(left.getByRole('heading', { name: 'There is nothing here' })).toBeVisible();
});

test('an attendee sees no controls of the organizer, nor what stands behind them', async ({
  server,
  browserOf,
}) => {
  const event = await demoEvent(server, 'Role play', 20);
  const page = await browserOf();

  await page.goto('/manage');
  await expect(page.getByRole('heading', { name: 'Sign in to see this' })).toBeVisible();
  await accessible(page, 'manage, as a visitor');
  await page.goto(`/events/${event.id}`);
  await expect(page.getByRole('link', { name: 'Sign in to book' })).toBeVisible();

  await signInDemo(page, server, USER1, `/events/${event.id}`);
  await expect(page.getByRole('heading', { name: 'Choose your seats' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Manage' })).toHaveCount(0);
  await page.goto('/manage');
  await expect(page.getByRole('heading', { name: 'Run your own events' })).toBeVisible();
  for (const path of [
    `/manage/events/${event.id}`,
    `/manage/events/${event.id}/edit`,
    `/manage/new?org=${event.org_id}`,
  ]) {
    await page.goto(path);
    await expect(page.getByRole('heading', { name: 'This is for organizers' })).toBeVisible();
    await expect(page.getByRole('button', { name: /publish|save|cancel event/i })).toHaveCount(0);
  }
  await accessible(page, 'not yours');
  await page.goto('/bookings/01980000-0000-7000-8000-000000000000');
  await expect(page.getByRole('heading', { name: 'There is nothing here' })).toBeVisible();
  await accessible(page, 'nothing here');

  const runs = await browserOf();
  await signInDemo(runs, server, ORGANIZER, `/events/${event.id}`);
  await runs.getByRole('link', { name: 'Manage' }).click();
  await expect(runs.getByRole('heading', { name: 'Role play' })).toBeVisible();
});

test('two seats are booked by tap on a phone', async ({ server, browserOf }) => {
  await demoEvent(server, 'On a phone', 20);
  const page = await browserOf({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await signInDemo(page, server, USER2, '/');
  await page.getByRole('link', { name: 'On a phone' }).tap();
  await expectSeats(page, [7, 8], 'free');
  for (const number of [7, 8]) {
    await expect(async () => {
      // A tap on seats that are too small to aim at zooms in first.
      const at = await findOnMap(page, number);
      await page.touchscreen.tap(at.x, at.y);
      await expectSeats(page, [number], 'held for you', TAP_LIMIT_MS);
    }).toPass();
  }
  await accessible(page, 'event, seats chosen on a phone');
  await page.getByRole('button', { name: 'Book now' }).tap();
  const dialog = page.getByRole('dialog', { name: "You're in" });
  await expect(dialog).toContainText('2 seats are yours');
  await accessible(page, 'booked on a phone');
  await dialog.getByRole('link', { name: 'See booking' }).tap();
  await expect(page.getByRole('heading', { name: 'History' })).toBeVisible();
  await page
    .getByRole('navigation', { name: 'Main, on a phone' })
    .getByRole('link', { name: 'Bookings' })
    .tap();
  await expect(page.getByRole('list', { name: 'Coming up' })).toContainText('Row A: 7–8');
});
