// Two people and an organization: invited, signed up, given a role, removed.
// And one person alone: what one may do about oneself, up to leaving for good.
import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { accessible, accessibleEverywhere } from '../support/axe.ts';
import { FIGURE } from '../support/count.ts';
import { expect, test } from '../support/fixtures.ts';
import {
  createAccount,
  linkIn,
  mailTo,
  type Person,
  person,
  returnTo,
  signIn,
  signUp,
} from '../support/people.ts';
import { expectSeats } from '../support/seats.ts';
import { ask, bookAs, found, publish } from '../support/session.ts';
import { watchReloads } from '../support/witness.ts';

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

const ORGANIZATION = 'Attic Readings';
const HIDDEN = 'Reading for Friends';

test('somebody is invited, signs up by the link, organizes, and is removed', async ({
  server,
  browserOf,
}) => {
  const ada = person('Ada Admin');
  const bea = person('Bea Newcomer');
  const admin = await browserOf();
  const newcomer = await browserOf(PHONE);
  await signUp(admin, server, ada);
  const orgId = await found(admin, ORGANIZATION);

  await test.step('the administrator invites an address that nobody has an account with', async () => {
    await admin.goto(`/manage/${orgId}/people?show=invitations`);
    await invite(admin, bea);
  });

  const link = linkIn(await mailTo(server, bea, /^Invitation to/));
  await test.step('with another account the link is explained', async () => {
    await admin.goto(link);
    await expect(admin.getByText('This invitation is for another account')).toBeVisible();
    await expect(admin.getByRole('button', { name: 'Sign in with another account' })).toBeVisible();
    await accessible(admin, 'invitation of another');
  });

  await test.step('the link tells a visitor nothing of the organization, and leads to signing up', async () => {
    await newcomer.goto(link);
    await expect(newcomer.getByRole('heading', { name: 'You are invited' })).toBeVisible();
    await expect(newcomer.getByText(ORGANIZATION)).toHaveCount(0);
    await accessible(newcomer, 'invitation, as a visitor');
    await newcomer.getByRole('link', { name: 'Create an account' }).click();
    await createAccount(newcomer, server, bea);
  });

  await test.step('and back to the invitation, which is accepted', async () => {
    const card = newcomer.getByRole('list', { name: 'Invitations' });
    await expect(card).toContainText(ORGANIZATION);
    await accessible(newcomer, 'invitation');
    await card.getByRole('button', { name: 'Accept' }).click();
    await expect(newcomer.getByText(`Welcome to ${ORGANIZATION}`)).toBeVisible();
    await newcomer.waitForURL(`/organizations/${orgId}`);
    await expect(newcomer.getByRole('heading', { name: ORGANIZATION, level: 1 })).toBeVisible();
  });

  await test.step('a new role is there when one comes back to the tab, without signing in again', async () => {
    await newcomer.goto('/manage');
    await expect(newcomer.getByRole('heading', { name: 'Run your own events' })).toBeVisible();
    const stayed = await watchReloads(newcomer);
    await admin.goto(`/manage/${orgId}/people`);
    await changeRole(admin, bea, 'Organizer');
    await returnTo(newcomer);
    await expect(newcomer.getByText(`Your role in ${ORGANIZATION} is now: Organizer`)).toBeVisible();
    await newcomer.getByRole('link', { name: 'New event' }).click();
    await stayed();
  });

  const eventPath = await test.step('the new organizer makes an event for members, on a phone', async () => {
    await newcomer.getByLabel('Name', { exact: true }).fill(HIDDEN);
    await newcomer.getByLabel('Seats', { exact: true }).fill('4');
    await newcomer.getByRole('radio', { name: 'Members only' }).check();
    await newcomer.getByRole('button', { name: 'Publish event' }).click();
    await expect(newcomer.getByRole('heading', { name: HIDDEN })).toBeVisible();
    await newcomer.getByRole('link', { name: 'Public page' }).click();
    await expectSeats(newcomer, [1, 4], 'free');
    return new URL(newcomer.url()).pathname;
  });

  await test.step('removal ends it on the open page', async () => {
    const frames = watchFrames(newcomer);
    // The socket that is watched is one that opens from here on.
    await newcomer.reload();
    await expectSeats(newcomer, [1], 'free');
    const eventId = eventPath.split('/').at(-1) ?? '';
    await bookAs(admin, eventId, 1, [1]);
    await expectSeats(newcomer, [1], 'sold');
    expect(
      frames.some((text) => text.includes(eventId)),
      'the event is told over the socket',
    ).toBe(true);
    const stayed = await watchReloads(newcomer);

    await remove(admin, bea);
    const removed = Date.now();
    // What is said in passing may be gone by the time that the rest is there.
    const told = expect(newcomer.getByText(`You are no longer a member of ${ORGANIZATION}`)).toBeVisible();
    await expect(newcomer.getByRole('heading', { name: 'There is nothing here' })).toBeVisible();
    test.info().annotations.push({
      type: FIGURE,
      description: `who was removed lost the open map after ${Date.now() - removed} ms`,
    });
    await told;
    await stayed();

    // What others see next does not come to the removed any more.
    const before = frames.length;
    await admin.goto(eventPath);
    await expectSeats(admin, [2], 'free');
    await bookAs(admin, eventId, 1, [2]);
    await expectSeats(admin, [2], 'yours');
    expect(frames.slice(before).filter((text) => text.includes(eventId))).toEqual([]);
  });

  await test.step('and everywhere else', async () => {
    await newcomer.goto(eventPath);
    await expect(newcomer.getByRole('heading', { name: 'There is nothing here' })).toBeVisible();
    await newcomer.goto(`/manage${eventPath}`);
    await expect(newcomer.getByRole('heading', { name: 'There is nothing here' })).toBeVisible();
    await newcomer.goto('/');
    await expect(newcomer.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(newcomer.getByRole('button', { name: /^Account/ })).toBeVisible();
    await expect(newcomer.getByRole('link', { name: HIDDEN })).toHaveCount(0);
    const { items } = await ask<{ items: unknown[] }>(newcomer, 'GET', `/events?org_id=${orgId}`);
    expect(items).toEqual([]);
    await newcomer.goto('/manage');
    await expect(newcomer.getByRole('heading', { name: 'Run your own events' })).toBeVisible();
  });
});

test('people rename themselves, choose their mails, end sessions, take their data and leave', async ({
  server,
  browserOf,
}) => {
  const erna = person('Erna Early');
  const walt = person('Walt Waits');
  const [page, waiter] = [await browserOf(), await browserOf()];
  await Promise.all([signUp(page, server, erna), signUp(waiter, server, walt)]);
  const other = await browserOf();
  await signIn(other, erna);

  const eventId = await test.step('one has the only seat, the other waits for it', async () => {
    const orgId = await found(waiter, 'One Chair');
    const { id } = await publish(waiter, orgId, 'Tea for One', 1);
    await bookAs(page, id, 1, [1]);
    await bookAs(waiter, id, 1);
    await waiter.goto(`/events/${id}`);
    await expect(waiter.getByRole('link', { name: 'You are number 1 in line' })).toBeVisible();
    return id;
  });

  await test.step('a new name is everywhere at once', async () => {
    await page.getByRole('button', { name: /^Account/ }).click();
    await page.getByRole('link', { name: 'Your profile' }).click();
    await accessibleEverywhere(page, 'profile');
    await page.getByLabel('Name', { exact: true }).fill('Erna Eager');
    await page.getByRole('button', { name: 'Save name' }).click();
    await expect(page.getByRole('heading', { name: 'Erna Eager', level: 1 })).toBeVisible();
    const { items } = await ask<{ items: { user?: { name: string } }[] }>(
      waiter,
      'GET',
      `/events/${eventId}/bookings`,
    );
    expect(items.map(({ user }) => user?.name)).toContain('Erna Eager');
  });

  await test.step('mails are chosen', async () => {
    await page
      .getByRole('navigation', { name: 'Profile' })
      .getByRole('link', { name: 'Notifications' })
      .click();
    await accessibleEverywhere(page, 'notification preferences');
    const mail = page.getByRole('switch', { name: 'Booking cancelled: mail' });
    await expect(mail).toBeChecked();
    const kept = page.waitForResponse((r) => r.request().method() === 'PUT' && r.ok());
    await mail.click();
    await expect(mail).not.toBeChecked();
    await kept;
    await page.reload();
    await expect(page.getByRole('switch', { name: 'Booked: mail' })).toBeChecked();
    await expect(mail).not.toBeChecked();
  });

  await test.step('the other browser is signed out from here', async () => {
    const stayed = await watchReloads(other);
    await page.getByRole('navigation', { name: 'Profile' }).getByRole('link', { name: 'Devices' }).click();
    const devices = page.getByRole('list', { name: 'Devices' }).getByRole('listitem');
    await expect(devices).toHaveCount(2);
    await expect(devices.first()).toContainText('This device');
    await accessible(page, 'devices');
    await devices
      .last()
      .getByRole('button', { name: /^Sign out/ })
      .click();
    await expect(devices).toHaveCount(1);
    await expect(other.getByRole('banner').getByRole('link', { name: 'Sign in' })).toBeVisible();
    await stayed();
  });

  await test.step('one takes the data along', async () => {
    await page.getByRole('navigation', { name: 'Profile' }).getByRole('link', { name: 'Your data' }).click();
    await accessible(page, 'your data');
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download my data' }).click();
    const download = await saved;
    expect(download.suggestedFilename()).toMatch(/\.zip$/);
    const bytes = await readFile(await download.path());
    expect(bytes.subarray(0, 2).toString('latin1')).toBe('PK');
    // The names of the files stand readably at the end of a zip.
    expect(bytes.toString('latin1')).toContain('README.txt');
  });

  await test.step('who alone runs an organization is told what to do first', async () => {
    const stays = await waiter.context().newPage();
    await stays.goto('/profile/data');
    await erase(stays, walt);
    const told = stays.getByRole('dialog', { name: 'Delete your account?' });
    await expect(told.getByRole('status')).toContainText('Somebody else has to take over first');
    await accessible(stays, 'the last administrator');
    await told.getByRole('link', { name: 'One Chair' }).click();
    await expect(stays).toHaveURL(/\/manage\/[^/]+\/people/);
    await stays.close();
    // A tab that another one covered asks for nothing until it is seen again.
    await waiter.bringToFront();
  });

  await test.step('the one leaves for good, and the other is promoted before their eyes', async () => {
    const stayed = await watchReloads(waiter);
    await erase(page, erna);
    await expect(page.getByRole('heading', { name: 'Goodbye, and thank you' })).toBeVisible();
    await expect(page.getByRole('banner').getByRole('link', { name: 'Sign in' })).toBeVisible();
    await accessible(page, 'goodbye');
    await expect(waiter.getByRole('link', { name: /You have 1 seat/ })).toBeVisible();
    await expectSeats(waiter, [1], 'yours');
    await stayed();
    expect((await page.request.get('/api/users/me')).status()).toBe(401);
    await waiter.goto(`/manage/events/${eventId}`);
    await waiter.getByRole('tab', { name: 'Cancelled' }).click();
    await expect(waiter.getByRole('link', { name: 'Deleted account' })).toBeVisible();
  });
});

/** Everything that comes to a page over sockets that it opens from now on. */
function watchFrames(page: Page): string[] {
  const frames: string[] = [];
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => frames.push(payload.toString()));
  });
  return frames;
}

async function invite(page: Page, who: Person): Promise<void> {
  await page.getByLabel('Invite by e-mail address').fill(who.email);
  await page.getByRole('button', { name: 'Invite', exact: true }).click();
  await expect(page.getByRole('list', { name: 'Pending invitations' })).toContainText(who.email);
}

async function changeRole(page: Page, who: Person, role: string): Promise<void> {
  await page.getByRole('combobox', { name: `Role of ${who.name}` }).selectOption(role);
  await expect(page.getByText(`${who.name} is now: ${role}`)).toBeVisible();
}

async function remove(page: Page, who: Person): Promise<void> {
  const button = page.getByRole('button', { name: `Remove ${who.name}` });
  await button.click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
  await expect(button).toHaveCount(0);
}

/** Presses through everything that comes before one's account is deleted. */
async function erase(page: Page, who: Person): Promise<void> {
  await page.getByRole('button', { name: 'Delete my account' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete your account?' });
  const confirm = dialog.getByRole('button', { name: 'Delete for good' });
  await dialog.getByLabel('Type your address').fill('somebody@example.org');
  await expect(confirm).toBeDisabled();
  await dialog.getByLabel('Type your address').fill(who.email);
  await confirm.click();
}
