/**
 * Differences between a recorded run and its re-run: code, machine, inputs, measurements.
 */
import { join } from "node:path";
import { defined } from "../defined.ts";
import type { Environment } from "./environment.ts";
import { readEnvironment, readSummary, type RunEnvironment, type RunSummary } from "./records.ts";

/** The record of a run that is to be run again. */
export interface RecordedRun {
  readonly path: string;
  /** Where it ran; undefined where its file is missing. */
  readonly environment?: RunEnvironment;
  /** Its measurements and labels; undefined where its file is missing. */
  readonly summary?: RunSummary;
}

/**
 * Reads the record beside a recorded declaration.
 *
 * @throws {SyntaxError} Where a file is none of a record.
 */
export async function readRecordedRun(path: string): Promise<RecordedRun> {
  return defined({
    path,
    environment: await readEnvironment(join(path, "environment.json")),
    summary: await readSummary(join(path, "summary.json")),
  });
}

/** Differences known before the run begins, a sentence each; none if code and machine are those of the record. */
export function environmentDifferences(recorded: Environment, current: Environment): string[] {
  const [then, now] = [recorded, current].map(
    ({ deno, v8, system, cpu, packages }): Partial<Record<string, string>> => (
      { deno, v8, system, cpu, ...packages }
    ),
  );
  const different = Object.keys({ ...then, ...now }).filter((name) => then[name] !== now[name]);
  return [
    ...codeDifferences(recorded, current),
    ...different.map((name) =>
      `${name} is ${now[name] ?? "missing"}, recorded was ${then[name] ?? "missing"}`
    ),
  ];
}

function codeDifferences(recorded: Environment, current: Environment): string[] {
  if (recorded.commit === undefined) return ["the record does not say the commit of its code"];
  const remarks: string[] = [];
  if (recorded.commit !== current.commit) {
    const then = recorded.commit.slice(0, 12);
    remarks.push(
      `commit is ${current.commit?.slice(0, 12) ?? "unknown"}, recorded was ${then}: ` +
        `git checkout ${then} has the recorded code`,
    );
  }
  if (recorded.dirty) remarks.push("the recorded code had changes that are in no commit");
  if (current.dirty) remarks.push("the code has changes that are in no commit");
  return remarks;
}

/** How the device that a run has opened differs from the recorded one; undefined where it does not. The reason of its choice does not count. */
export function deviceDifference(
  { device: recorded }: Pick<RunEnvironment, "device">,
  device: string,
): string | undefined {
  if (recorded === undefined || withoutReason(recorded) === withoutReason(device)) return undefined;
  return `device is ${withoutReason(device)}, recorded was ${withoutReason(recorded)}`;
}

/** Why a device was chosen stands last, in parentheses. */
function withoutReason(device: string): string {
  return device.replace(/ \([^()]*\)$/, "");
}

/** Difference in data, a tokenizer or weights; undefined if it equals the record, or the record has none. */
export function hashDifference(
  { hashes }: Pick<RunEnvironment, "hashes">,
  name: string,
  sha256: string,
): string | undefined {
  const recorded = hashes[name];
  if (recorded === undefined || recorded === sha256) return undefined;
  return `${name} differs: SHA-256 is ${sha256.slice(0, 12)}, recorded was ${
    recorded.slice(0, 12)
  }`;
}

/** Whether the numbers are the recorded ones, in a sentence; undefined where nothing is recorded. */
export function metricDifference(recorded: RunSummary, current: RunSummary): string | undefined {
  const pairs = recorded.metrics.flatMap((then) => {
    const now = current.metrics.find((metric) =>
      metric.evaluation === then.evaluation && metric.model === then.model &&
      metric.name === then.name && metric.metricVersion === then.metricVersion
    );
    return now ? [{ then, now, label: `${then.model} ${then.name}` }] : [];
  });
  if (recorded.metrics.length === 0) return undefined;
  const missing = recorded.metrics.length - pairs.length;
  const unlike = missing === 0 ? "" : `; ${missing} more cannot be compared`;
  const different = pairs.filter(({ then, now }) => then.value !== now.value);
  if (different.length === 0) {
    return `all ${pairs.length} numbers are the recorded ones${unlike}`;
  }
  const distance = ({ then, now }: typeof pairs[number]) =>
    Math.abs(now.value - then.value) / Math.max(Math.abs(then.value), Number.MIN_VALUE);
  const worst = different.reduce((a, b) => distance(b) > distance(a) ? b : a);
  return `${different.length} of ${pairs.length} numbers differ from the recorded ones, ` +
    `${worst.label} most: ${worst.now.value}, recorded was ${worst.then.value}${unlike}`;
}
