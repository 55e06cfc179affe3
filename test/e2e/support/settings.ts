/** Whether the run is on real engines instead of the embedded ones. */
export function realEngines(): boolean {
  return process.env.E2E_ENGINES === 'real';
}

/** A setting that `make engines-up` has written. */
export function engineSetting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run "make engines-up" and source build/engines/env`);
  return value;
}
