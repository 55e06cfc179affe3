import { defineConfig } from '@playwright/test';
import { realEngines } from './support/settings.ts';

/**
 * A test that takes longer hangs. The longest (the whole demo flow) needs about
 * a minute, and 144 s have been seen where the cores had much else to do.
 */
const TEST_LIMIT_MS = 300_000;
/** Everything that a screen shows after a step appears within this, on a busy machine too. */
const EXPECT_LIMIT_MS = 30_000;

export default defineConfig({
  testDir: './specs',
  // What only real engines can show is no test of the embedded ones.
  testIgnore: realEngines() ? [] : ['**/engines/**'],
  outputDir: './test-results',
  // A figure of the flow is a delay in a browser: nothing else may run beside it.
  workers: 1,
  retries: 0,
  forbidOnly: Boolean(process.env.CI),
  timeout: TEST_LIMIT_MS,
  expect: { timeout: EXPECT_LIMIT_MS },
  reporter: [['list'], ['./support/count.ts']],
  use: {
    actionTimeout: EXPECT_LIMIT_MS,
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    viewport: { width: 1280, height: 800 },
    trace: 'off',
    screenshot: 'only-on-failure',
    // What moves makes pictures and contrasts depend on the moment.
    contextOptions: { reducedMotion: 'reduce' },
    launchOptions: {
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
