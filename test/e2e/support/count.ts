import type { FullResult, Reporter, Suite, TestCase, TestResult } from '@playwright/test/reporter';

/** Marks an annotation as a figure that a test has measured. */
export const FIGURE = 'figure';

/** Tells what tests measured, and ends a run with one line that scripts can read. */
export default class Count implements Reporter {
  private suite: Suite | undefined;
  private errors = 0;

  onBegin(_config: unknown, suite: Suite): void {
    this.suite = suite;
  }

  // Faults outside of a test, for instance of a server that does not stop.
  onError(): void {
    this.errors += 1;
  }

  onTestEnd(_test: TestCase, result: TestResult): void {
    for (const { type, description } of result.annotations) {
      if (type === FIGURE) process.stdout.write(`     ${description}\n`);
    }
  }

  onEnd(_result: FullResult): void {
    const tests: TestCase[] = this.suite?.allTests() ?? [];
    const passed = tests.filter((test) => test.outcome() === 'expected').length;
    const failed = tests.length - passed + this.errors;
    process.stdout.write(`${passed} passed, ${failed} failed\n`);
  }

  printsToStdio(): boolean {
    return false;
  }
}
