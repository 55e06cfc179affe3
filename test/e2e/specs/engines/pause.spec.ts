// Redis stops answering in the middle of a sale: the map says so, booking goes
// on, and everything is as before once it answers again.
import type { Page } from '@playwright/test';
import { accessibleEverywhere } from '../../support/axe.ts';
import { FIGURE } from '../../support/count.ts';
import { book, demoEvent, hold, signInDemo, USER1, USER2, USER3 } from '../../support/demo.ts';
import { expect, test } from '../../support/fixtures.ts';
import { showSeats, take } from '../../support/pictures.ts';
import { RedisProcess } from '../../support/redis.ts';
import { expectSeats, findOnMap } from '../../support/seats.ts';
import { watchReloads } from '../../support/witness.ts';

test.use({ serverOptions: { demo: true, ownRedis: true } });

const NOTICE = 'Live seat choosing is paused';
/** The map says that it is paused, or live again, within this. */
const TOLD_WITHIN_MS = 15_000;

test('while Redis does not answer one goes on booking, and afterwards choosing', async ({
  server,
  browserOf,
}) => {
  const { redis } = server.engines;
  if (!(redis instanceof RedisProcess)) throw new Error('this Redis must not be frozen');
  const event = await demoEvent(server, 'The long pause', 20);
  const path = `/events/${event.id}`;
  const chooser = await browserOf();
  const buyer = await browserOf();
  await signInDemo(chooser, server, USER1, path);
  await signInDemo(buyer, server, USER2, path);
  await hold(server, USER3, event, [11]);
  await expectSeats(chooser, [11], 'being chosen by someone');
  await choose(chooser, 5, 'held for you');
  await expectSeats(buyer, [5], 'being chosen by someone');
  const neverReloaded = [await watchReloads(chooser), await watchReloads(buyer)];

  const frozen = Date.now();
  redis.freeze();
  try {
    await test.step('the map says so', async () => {
      for (const page of [chooser, buyer]) {
        await expect(page.getByText(NOTICE)).toBeVisible({ timeout: TOLD_WITHIN_MS });
      }
      figure(`the pause was told after ${Date.now() - frozen} ms`);
      await expect(chooser.getByRole('timer'), 'nothing is held that could end').toHaveCount(0);
      await expectSeats(buyer, [5, 11], 'free');
    });

    await test.step('one chooses without holds, for everybody to read', async () => {
      await choose(chooser, 6, 'chosen by you');
      await accessibleEverywhere(chooser, 'event, paused');
      await chooser.mouse.move(0, 0);
      await take(chooser, 'paused', (size) => showSeats(chooser, size === 'phone'));
    });

    await test.step('booking works', async () => {
      await choose(buyer, 8, 'chosen by you');
      const pressed = Date.now();
      await buyer.getByRole('button', { name: 'Book 1 seat' }).click();
      const dialog = buyer.getByRole('dialog', { name: "You're in" });
      await expect(dialog).toContainText('Row A · Seat 8');
      figure(`a booking during the pause took ${Date.now() - pressed} ms, the browser's work included`);
      await dialog.getByRole('button', { name: 'Done' }).click();
      await expectSeats(chooser, [8], 'sold');
      await book(server, USER3, event, 1, [9]);
      await expectSeats(chooser, [9], 'sold');
    });
  } finally {
    redis.thaw();
  }

  const thawed = Date.now();
  for (const page of [chooser, buyer]) {
    await expect(page.getByText(NOTICE)).toBeHidden({ timeout: TOLD_WITHIN_MS });
  }
  figure(`the end of the pause was told after ${Date.now() - thawed} ms`);
  await expectSeats(chooser, [5, 6], 'held for you');
  await expectSeats(buyer, [5, 6], 'being chosen by someone');
  await expect(chooser.getByRole('timer')).toHaveText(/^[12]:\d\d$/);
  await chooser.getByRole('button', { name: 'Book 2 seats' }).click();
  await expect(chooser.getByRole('dialog', { name: "You're in" })).toContainText('2 seats are yours');
  await expectSeats(buyer, [5, 6, 9], 'sold');
  for (const stayed of neverReloaded) await stayed();

  function figure(description: string) {
    test.info().annotations.push({ type: FIGURE, description });
  }
});

async function choose(page: Page, number: number, state: string): Promise<void> {
  const at = await findOnMap(page, number);
  await page.mouse.click(at.x, at.y);
  await expectSeats(page, [number], state);
}
