// What RabbitMQ's management interface shows of a server that tells people things.
import { book, demoEvent, USER1 } from '../../support/demo.ts';
import { expect, test } from '../../support/fixtures.ts';
import { mailTo } from '../../support/people.ts';

test.use({ serverOptions: { demo: true } });

/** The interface counts messages anew every five seconds. */
const COUNTED_WITHIN_MS = 20_000;

test('the queue is durable, replicated and drained, and has a place for what nobody can read', async ({
  server,
}) => {
  const event = await demoEvent(server, 'Told over a queue', 10);
  await book(server, USER1, event, 2);
  await mailTo(server, { email: USER1 }, new RegExp(`^Booked.*${event.name}`));

  const queue = async (name: string) =>
    (await server.engines.vhost.queues()).find((each) => each.name === name) ?? null;
  await expect
    .poll(() => queue('notifications'), { timeout: COUNTED_WITHIN_MS })
    .toMatchObject({
      type: 'quorum',
      durable: true,
      messages: 0,
      messages_unacknowledged: 0,
      consumers: 1,
      message_stats: { publish: expect.any(Number), ack: expect.any(Number) },
    });
  await expect
    .poll(() => queue('notifications.dead'), { timeout: COUNTED_WITHIN_MS })
    .toMatchObject({ type: 'quorum', durable: true, messages: 0 });
});
