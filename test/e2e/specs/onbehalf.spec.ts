// The box office: an organizer books for somebody on the phone, who has it as
// their own once they sign in with the address.
import type { Locator, Page } from '@playwright/test';
import { accessible } from '../support/axe.ts';
import { expect, test } from '../support/fixtures.ts';
import { mailTo, person, signUp } from '../support/people.ts';
import { expectSeats } from '../support/seats.ts';
import { ask, found, publish } from '../support/session.ts';

test('an organizer books for somebody, who signs up later and has it', async ({ server, browserOf }) => {
  const cleo = person('Cleo Counter');
  const dora = person('Dora Dials');
  const [office, caller] = [await browserOf(), await browserOf()];
  await signUp(office, server, cleo);
  const { id } = await publish(office, await found(office, 'Corner Theatre'), 'Late Show', 4);
  await office.goto(`/manage/events/${id}`);
  const dialog = await openDialog(office);

  await test.step('what is no address and no seats is said beside each', async () => {
    await dialog.getByLabel('E-mail address').fill('dora at example');
    await dialog.getByRole('button', { name: 'By number' }).click();
    await dialog.getByLabel('Seat numbers').fill('3-1');
    await book(dialog);
    await expect(dialog.getByText('That is no e-mail address.')).toBeVisible();
    await expect(dialog.getByText('Enter seat numbers such as 3-5, 8.')).toBeVisible();
    await accessible(office, 'book for somebody, refused');
  });

  await test.step('seats are booked by number, and the address is told', async () => {
    await dialog.getByLabel('E-mail address').fill(` ${dora.email.toUpperCase()} `);
    await dialog.getByLabel('Seat numbers').fill('2 – 3');
    await book(dialog);
    const made = office.getByRole('dialog', { name: 'Booked' });
    await expect(made.getByRole('status')).toContainText('2 seats booked');
    await accessible(office, 'booked for somebody');
    const mail = await mailTo(server, dora, /^Booked for you: Late Show/);
    expect(mail.text).toContain('Corner Theatre');
    await made.getByRole('button', { name: 'Book another' }).click();
  });

  await test.step('what is taken is named, and nothing is lost of what was typed', async () => {
    await dialog.getByLabel('E-mail address').fill(dora.email);
    await dialog.getByRole('button', { name: 'By number' }).click();
    await dialog.getByLabel('Seat numbers').fill('1,2');
    await book(dialog);
    await expect(dialog.getByText('Not booked')).toBeVisible();
    await expect(dialog.getByText(/^Row A.* 2$/)).toBeVisible();
    await expect(dialog.getByLabel('E-mail address')).toHaveValue(dora.email);
    await expect(dialog.getByLabel('Seat numbers')).toHaveValue('1,2');
  });

  await test.step('whoever finds no room waits, and is told so', async () => {
    await dialog.getByRole('button', { name: 'The best' }).click();
    await dialog.getByRole('button', { name: 'More', exact: true }).click();
    await dialog.getByRole('button', { name: 'More', exact: true }).click();
    await book(dialog);
    const made = office.getByRole('dialog', { name: 'On the waitlist' });
    await expect(made.getByRole('status')).toContainText('Number 1 on the waitlist');
    await made.getByRole('button', { name: 'Done' }).click();
    await expect(made).toHaveCount(0);
  });

  await test.step('the list tells the address, and no account makes a difference', async () => {
    const row = office.getByRole('listitem').filter({ has: office.getByText(dora.email) });
    await expect(row).toContainText('2 seats');
    await expect(row).toContainText('Booked for them');
  });

  await test.step('who signs up with the address has the booking, and gives a seat back', async () => {
    await signUp(caller, server, dora);
    const { id: me } = await ask<{ id: string }>(caller, 'GET', '/users/me');
    const { items } = await ask<{ items: { id: string; status: string }[] }>(
      caller,
      'GET',
      `/bookings/user/${me}`,
    );
    expect(items.map(({ status }) => status)).toEqual(['waiting', 'confirmed']);
    await caller.goto(`/events/${id}`);
    await expectSeats(caller, [2, 3], 'yours');
    await caller.goto(`/bookings/${items[1]?.id}`);
    await expect(caller.getByText('The organizer booked this for you.')).toBeVisible();
  });
});

async function openDialog(page: Page): Promise<Locator> {
  await page.getByRole('button', { name: 'Book for somebody' }).click();
  return page.getByRole('dialog', { name: 'Book for somebody' });
}

async function book(dialog: Locator): Promise<void> {
  await dialog.getByRole('button', { name: 'Book', exact: true }).click();
}
