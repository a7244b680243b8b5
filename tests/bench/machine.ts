import os from "node:os";

/** The load of the machine now: processes that ran or waited in the last minute, on average. */
export function machineLoad(): string {
  return os.loadavg()[0].toFixed(2);
}

/**
 * The machine and the day of a measurement, for the head of its page.
 *
 * @param load The loads, with their times: `0.10 at the start`.
 */
export function describeMachine(load: string): string {
  const cpus = os.cpus(), gibibytes = Math.round(os.totalmem() / 2 ** 30);
  const day = new Date().toISOString().slice(0, 10);
  return `${
    cpus[0]?.model
  }, ${cpus.length} cores, ${gibibytes} GiB, load ${load}, Deno ${Deno.version.deno}, ${day}`;
}
