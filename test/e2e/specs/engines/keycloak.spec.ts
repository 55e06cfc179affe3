// What people see of Keycloak: its pages, its word on whether they stand, and
// signing out at either end.
import type { Page } from '@playwright/test';
import { accessible } from '../../support/axe.ts';
import { FIGURE } from '../../support/count.ts';
import { createEvent } from '../../support/demo.ts';
import { expect, test } from '../../support/fixtures.ts';
import type { Keycloak } from '../../support/keycloak.ts';
import { person, signIn, signOut, signUp } from '../../support/people.ts';
import { take } from '../../support/pictures.ts';
import { expectSeats, findOnMap } from '../../support/seats.ts';
import type { Server } from '../../support/server.ts';

// Keycloak tells one replica of a sign-out, and the people are at both.
test.use({ serverOptions: { replicas: 2, label: 'keycloak' } });

/** A sign-out at Keycloak ends what is open here within this. */
const ENDED_WITHIN_MS = 5000;

const ORGANIZER = 'olga@kitchen.test';

test('a newcomer is member of nothing, is offered an organization, and books a public event', async ({
  server,
  browserOf,
}) => {
  const event = await publicEvent(server, 'Open to all');
  const page = await browserOf();
  await signUp(page, server, person('Nora Newcomer'));
  const me = await page.evaluate(async () => (await fetch('/api/users/me')).json() as Promise<unknown>);
  expect(me).toMatchObject({ name: 'Nora Newcomer', email_verified: true, organizations: [] });

  await test.step('an organization is offered', async () => {
    const offer = page.getByRole('region', { name: 'Do you run events yourself?' });
    await expect(offer).toBeVisible();
    await accessible(page, 'discover, with the offer');
    await expect(offer.getByRole('link', { name: 'Create your organization' })).toBeVisible();
  });

  await test.step('and is not in the way of booking', async () => {
    await page.getByRole('link', { name: event.name }).click();
    await expectSeats(page, [4], 'free');
    const at = await findOnMap(page, 4);
    await page.mouse.click(at.x, at.y);
    await expectSeats(page, [4], 'held for you');
    await page.getByRole('button', { name: 'Book 1 seat' }).click();
    const dialog = page.getByRole('dialog', { name: "You're in" });
    await expect(dialog).toContainText('Row A · Seat 4');
    await dialog.getByRole('button', { name: 'Done' }).click();
  });

  await test.step('the offer leads to an organization', async () => {
    await page.goto('/manage');
    await page.getByLabel('Name of the organization').fill("Nora's Nights");
    await page.getByRole('button', { name: 'Create organization' }).click();
    await expect(page.getByRole('heading', { name: "Nora's Nights", exact: true })).toBeVisible();
  });
});

test('who comes to book and signs in on the way returns to the event', async ({ server, browserOf }) => {
  const event = await publicEvent(server, 'On the way');
  const { who } = await known(server, 'Wanda Wanders');
  const page = await browserOf();
  await page.goto(`/events/${event.id}`);
  await page.getByRole('link', { name: 'Sign in to book' }).click();
  await page.getByLabel('Email address').fill(who.email);
  await page.getByLabel('Password', { exact: true }).fill(who.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`/events/${event.id}`);
  await expect(page.getByRole('heading', { name: 'Choose your seats' })).toBeVisible();
});

test('an hour later one is still signed in, and no longer than Keycloak says', async ({
  server,
  browserOf,
}) => {
  const { who, id, keycloak } = await known(server, 'Rita Returns');
  // Long before the hour is over, no token of the sign-in is good for anything but a new one.
  await keycloak.change({
    eventsEnabled: true,
    enabledEventTypes: ['REFRESH_TOKEN'],
    accessTokenLifespan: 60,
  });
  const page = await browserOf();
  await signIn(page, who);
  const asked = async () =>
    (await keycloak.events('REFRESH_TOKEN')).filter(({ userId }) => userId === id).length;
  expect(await asked(), 'Keycloak is not asked at once').toBe(0);

  await test.step('Keycloak is asked, and stands by it', async () => {
    await anHourPasses(server);
    await expect
      .poll(async () => {
        await page.reload();
        return asked();
      })
      .toBeGreaterThan(0);
    await expect(page.getByRole('button', { name: /^Account/ })).toBeVisible();
  });

  await test.step('Keycloak does not stand by it any more', async () => {
    await keycloak.keepSignOuts();
    await keycloak.signOut(id);
    await page.reload();
    await expect(page.getByRole('button', { name: /^Account/ }), 'nobody has told us').toBeVisible();
    await anHourPasses(server);
    await expect(async () => {
      await page.reload();
      await expect(signInLink(page)).toBeVisible({ timeout: 1000 });
    }).toPass();
  });
  await keycloak.tellSignOuts(server.url);
});

test('signing out here ends the sign-in at Keycloak', async ({ server, browserOf }) => {
  const { who, id, keycloak } = await known(server, 'Leo Leaves');
  const page = await browserOf();
  await signIn(page, who);
  expect(await keycloak.sessionsOf(id)).toBe(1);
  await signOut(page);
  await expect(signInLink(page)).toBeVisible();
  expect(await keycloak.sessionsOf(id)).toBe(0);
  // Whoever comes next at this browser is asked who they are.
  await signInLink(page).click();
  await expect(page.getByRole('heading', { name: 'Welcome back' })).toBeVisible();
  await expect(page.getByLabel('Password', { exact: true })).toBeVisible();
});

test('signing out at Keycloak ends it here, on open pages too', async ({ server, browserOf }) => {
  const event = await publicEvent(server, 'Cut off');
  const path = `/events/${event.id}`;
  const { who, id, keycloak } = await known(server, 'Kim Keycloak');
  const page = await browserOf();
  let cut = 0;
  page.on('websocket', (socket) => {
    socket.on('close', () => {
      cut ||= Date.now();
    });
  });
  // Keycloak has no cookie, so that it is replica 0 that is told.
  await server.router.pin(page.context(), 1);
  await signIn(page, who, path);
  await expectSeats(page, [1], 'free');
  const bystander = await browserOf();
  await signIn(bystander, (await known(server, 'Bea Bystander')).who, path);
  await expect(bystander.getByText('2 looking now')).toBeVisible();
  cut = 0;

  const out = Date.now();
  await keycloak.signOut(id);
  await expect(signInLink(page), 'the page shows it without reloading').toBeVisible({
    timeout: ENDED_WITHIN_MS,
  });
  const seen = Date.now() - out;
  expect(cut, 'the socket was cut').toBeGreaterThan(0);
  test.info().annotations.push({
    type: FIGURE,
    description: `a sign-out at Keycloak cut a socket of the other replica after ${cut - out} ms, and the page showed it after ${seen} ms`,
  });
  await expect(page.getByRole('link', { name: 'Sign in to book' })).toBeVisible();
  await expect(bystander.getByRole('button', { name: /^Account/ })).toBeVisible();
  await page.goto('/auth/login');
  await expect(page.getByLabel('Password', { exact: true })).toBeVisible();
});

test("the picture of Keycloak's sign-in page", async ({ browserOf }) => {
  const page = await browserOf();
  await page.goto('/auth/login');
  await expect(page.getByRole('heading', { name: 'Welcome back' })).toBeVisible();
  await take(page, 'keycloak');
});

function signInLink(page: Page) {
  return page.getByRole('banner').getByRole('link', { name: 'Sign in' });
}

/** Somebody who has an account at Keycloak and was never here. */
async function known(server: Server, name: string) {
  const keycloak = server.keycloak as Keycloak;
  const who = person(name);
  return { who, keycloak, id: await keycloak.person(who.name, who.email, who.password) };
}

/** A public event, of an organization that the first call makes. */
async function publicEvent(server: Server, name: string) {
  const keycloak = server.keycloak as Keycloak;
  if (!(await keycloak.knows(ORGANIZER))) {
    await keycloak.person('Olga Organizer', ORGANIZER, keycloak.password);
    await server.call(ORGANIZER, 'POST', '/organizations', { name: 'Kitchen Concerts' });
  }
  return createEvent(server, ORGANIZER, name, 10);
}

/** Makes every session as old as if its page had been left for an hour. */
async function anHourPasses(server: Server): Promise<void> {
  await server.engines.database.sql(
    `UPDATE sessions
        SET created_at   = created_at   - interval '1 hour',
            last_seen_at = last_seen_at - interval '1 hour',
            confirmed_at = confirmed_at - interval '1 hour',
            renew_at     = renew_at     - interval '1 hour'`,
  );
}
