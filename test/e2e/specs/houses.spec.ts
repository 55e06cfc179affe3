// A house in sections and rows of its own: laid out by its organizer, and its
// names are everywhere. Seats are taken off sale on the map.
import { accessible } from '../support/axe.ts';
import { demoEvent, ORGANIZER, signInDemo, USER1 } from '../support/demo.ts';
import { expect, test } from '../support/fixtures.ts';
import { findOnMap } from '../support/seats.ts';

test.use({ serverOptions: { demo: true } });

test('a house is laid out, booked by its names, and partly taken off sale', async ({ server, browserOf }) => {
  const event = await demoEvent(server, 'In a theatre', 20);
  const organizer = await browserOf();
  await signInDemo(organizer, server, ORGANIZER, `/manage/events/${event.id}`);
  await organizer.getByRole('link', { name: 'Seats' }).click();

  await test.step('the organizer draws it up', async () => {
    await organizer.getByLabel('Name', { exact: true }).fill('Stalls');
    await organizer.getByLabel('Rows', { exact: true }).fill('3');
    await organizer.getByLabel('Seats in each row').fill('8');
    await organizer.getByRole('button', { name: 'Stalls: single rows' }).click();
    await organizer.getByLabel('Seats of row 2').fill('10');
    // Looking at the other tab takes nothing away.
    await organizer.getByRole('tab', { name: 'Off sale' }).click();
    await organizer.getByRole('tab', { name: 'Layout' }).click();
    await expect(organizer.getByLabel('Seats in each row')).toHaveAttribute('placeholder', 'varies');
    await organizer.getByRole('button', { name: 'Add a section' }).click();
    await organizer.getByRole('button', { name: 'Save layout' }).click();
    await expect(organizer.getByText('Please check the marked sections.')).toBeVisible();
    const second = organizer.getByRole('region', { name: 'Section 2' });
    await expect(second.getByRole('alert')).toBeVisible();
    await second.getByLabel('Name', { exact: true }).fill('Balcony');
    const balcony = organizer.getByRole('region', { name: 'Balcony' });
    await balcony.getByLabel('Rows', { exact: true }).fill('2');
    await balcony.getByLabel('Rows begin with').fill('1');
    await balcony.getByLabel('Seats begin with').fill('101');
    await expect(organizer.getByText('42 seats instead of 20')).toBeVisible();
    await accessible(organizer, 'the layout editor');
    await organizer.setViewportSize({ width: 390, height: 844 });
    await expect
      .poll(() => organizer.evaluate(() => document.documentElement.scrollWidth), 'the width on a phone')
      .toBe(390);
    await organizer.setViewportSize({ width: 1280, height: 800 });
    await organizer.getByRole('button', { name: 'Save layout' }).click();
    await expect(organizer.getByText('Saved')).toBeVisible();
  });

  const person = await browserOf();
  await signInDemo(person, server, USER1, `/events/${event.id}`);
  await test.step('a person books by its names', async () => {
    await expect(person.getByRole('grid', { name: 'Seats, Stalls' })).toBeVisible();
    await person.getByRole('gridcell', { name: 'Stalls, row B, seat 10, free' }).focus();
    await person.keyboard.press('Shift+PageDown');
    await expect(person.getByRole('gridcell', { name: 'Balcony, row 2, seat 108, free' })).toBeFocused();
    await person.keyboard.press('Space');
    await expect(person.getByRole('list').getByText('Balcony · Row 2 · Seat 108')).toBeVisible();
    await person.getByRole('button', { name: 'Book 1 seat' }).click();
    await person.getByRole('link', { name: 'See booking' }).click();
    await expect(person.getByRole('listitem').filter({ hasText: /^BalconyRow 2Seat 108$/ })).toBeVisible();
    await person.goto('/bookings');
    await expect(person.getByText('Balcony · Row 2: 108')).toBeVisible();
    await person.goto(`/events/${event.id}`);
  });

  await test.step('the organizer takes a row off sale, which is seen at once', async () => {
    await organizer.getByRole('tab', { name: 'Off sale' }).click();
    await organizer.getByRole('button', { name: 'Row', exact: true }).click();
    const at = await findOnMap(organizer, 3);
    await organizer.mouse.click(at.x, at.y);
    await expect(organizer.getByText('Stalls · Row A: 1–8')).toBeVisible();
    await accessible(organizer, 'seats off sale');
    await organizer.getByRole('button', { name: 'Save', exact: true }).click();
    await expect(organizer.getByText('8 seats off sale')).toBeVisible();
    await expect(person.getByRole('gridcell', { name: 'Stalls, row A, seat 3, not for sale' })).toHaveCount(1);
    await expect(person.getByRole('list').getByText('not for sale')).toBeVisible();
  });

  await organizer.goto(`/manage/events/${event.id}`);
  await expect(organizer.getByText('Balcony · Row 2: 108')).toBeVisible();
  // Seats off sale are not among the sold.
  await expect(organizer.getByText('8 more off sale')).toBeVisible();

  await test.step('the organizer books for somebody on the map', async () => {
    await organizer.getByRole('button', { name: 'Book for somebody' }).click();
    const dialog = organizer.getByRole('dialog', { name: 'Book for somebody' });
    await dialog.getByLabel('E-mail address').fill('caller@example.org');
    await expect(dialog.getByRole('button', { name: 'By number' })).toHaveCount(0);
    await dialog.getByRole('button', { name: 'On the map' }).click();
    await dialog.getByRole('gridcell', { name: 'Stalls, row A, seat 1, not for sale' }).focus();
    await organizer.keyboard.press('Shift+PageDown');
    await expect(dialog.getByRole('gridcell', { name: 'Balcony, row 1, seat 101, free' })).toBeFocused();
    await organizer.keyboard.press('Space');
    await expect(dialog.getByText('Balcony · Row 1: 101')).toBeVisible();
    await accessible(organizer, 'book for somebody on the map');
    await dialog.getByRole('button', { name: 'Book', exact: true }).click();
    const made = organizer.getByRole('dialog', { name: 'Booked' });
    await expect(made.getByText('Balcony · Row 1: 101')).toBeVisible();
    await made.getByRole('button', { name: 'Done' }).click();
  });

  await organizer.getByRole('tab', { name: 'Record' }).click();
  await expect(organizer.getByText('took seats of')).toBeVisible();

  await test.step('what is typed stays when somebody else saves first', async () => {
    await organizer.goto(`/manage/events/${event.id}/edit`);
    await organizer.getByLabel('Venue').fill('The old theatre');
    await server.call(ORGANIZER, 'PUT', `/events/${event.id}`, { name: 'In the theatre at last' });
    await organizer.getByRole('button', { name: 'Save changes' }).click();
    await expect(organizer.getByText('Somebody else changed this event meanwhile')).toBeVisible();
    await expect(organizer.getByLabel('Venue')).toHaveValue('The old theatre');
    await expect(organizer.getByLabel('Name')).toHaveValue('In the theatre at last');
    await accessible(organizer, 'an event that somebody else changed');
    await organizer.getByRole('button', { name: 'Save changes' }).click();
    await expect(organizer.getByRole('heading', { name: 'In the theatre at last' })).toBeVisible();
    await expect(organizer.getByText('The old theatre')).toBeVisible();
  });
});
