import { test as base, type BrowserContextOptions, type Page } from '@playwright/test';
import { Server, type ServerOptions } from './server.ts';

export { expect } from '@playwright/test';

interface TestFixtures {
  /** A page in a browser context of its own, as another person's browser would be. */
  browserOf: (options?: BrowserContextOptions) => Promise<Page>;
  /** Runs the checker after each test. */
  books: void;
}

interface WorkerFixtures {
  serverOptions: ServerOptions;
  server: Server;
}

/** Playwright's test with a running Happening, whose books are checked after each test. */
export const test = base.extend<TestFixtures, WorkerFixtures>({
  serverOptions: [{}, { option: true, scope: 'worker' }],

  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the fixtures from the pattern.
    async ({ serverOptions }, use) => {
      const server = await Server.start(serverOptions);
      await use(server);
      await server.stop();
    },
    { scope: 'worker', timeout: 240_000 },
  ],

  baseURL: async ({ server }, use) => use(server.url),

  browserOf: async ({ browser, contextOptions, viewport, locale, timezoneId, baseURL }, use) => {
    const opened: Page[] = [];
    await use(async (options = {}) => {
      const context = await browser.newContext({
        ...contextOptions,
        viewport,
        locale,
        timezoneId,
        baseURL,
        ...options,
      });
      const page = await context.newPage();
      opened.push(page);
      return page;
    });
    for (const page of opened) await page.context().close();
  },

  books: [
    async ({ server }, use, testInfo) => {
      const from = server.log.length;
      await use();
      await server.check();
      if (testInfo.status !== testInfo.expectedStatus) {
        await testInfo.attach('server log', { body: server.log.slice(from), contentType: 'text/plain' });
        process.stdout.write(server.log.slice(from));
      }
    },
    { auto: true },
  ],
});
