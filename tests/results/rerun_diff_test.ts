import type { Environment } from "../../src/results/environment.ts";
import {
  deviceDifference,
  environmentDifferences,
  hashDifference,
  metricDifference,
} from "../../src/results/rerun_diff.ts";
import type { Metric, RunSummary } from "../../src/results/records.ts";
import { assert, test } from "../testing.ts";

const environment: Environment = {
  startedAt: "2026-11-21T07:17:24.528Z",
  commit: "6a18bfa6ba63ee400bb55d6da153280e30c6f154",
  dirty: false,
  deno: "2.9.6",
  v8: "15.0",
  packages: { zod: "4.6.7" },
  system: "linux",
  cpu: "a processor",
  cores: 2,
  memoryBytes: 1,
};

test("environmentDifferences() says what code and machine have otherwise, and nothing else", () => {
  const differences = (change: Partial<Environment>) =>
    environmentDifferences(environment, { ...environment, ...change });
  // When it ran, and how large the machine is, change no number.
  assert.deepEqual(differences({ startedAt: "later", cores: 4, memoryBytes: 2 }), []);
  assert.deepEqual(differences({ commit: "0123456789abcdef" }), [
    "commit is 0123456789ab, recorded was 6a18bfa6ba63: git checkout 6a18bfa6ba63 has the recorded code",
  ]);
  assert.deepEqual(differences({ dirty: true }), ["the code has changes that are in no commit"]);
  assert.deepEqual(differences({ deno: "3.0.0", v8: "16.0", system: "mac", cpu: "another" }), [
    "deno is 3.0.0, recorded was 2.9.6",
    "v8 is 16.0, recorded was 15.0",
    "system is mac, recorded was linux",
    "cpu is another, recorded was a processor",
  ]);
  assert.deepEqual(differences({ packages: { other: "1.0" } }), [
    "zod is missing, recorded was 4.6.7",
    "other is 1.0, recorded was missing",
  ]);
  assert.deepEqual(environmentDifferences({ ...environment, dirty: true }, environment), [
    "the recorded code had changes that are in no commit",
  ]);
  const { commit: _commit, dirty: _dirty, ...unknown } = environment;
  assert.deepEqual(environmentDifferences(unknown, environment), [
    "the record does not say the commit of its code",
  ]);
});

test("deviceDifference() does not mind why a device was chosen", () => {
  const recorded = { device: "cpu: a processor, 1 thread (asked for)" };
  const difference = (device: string) => deviceDifference(recorded, device);
  assert.equal(difference("cpu: a processor, 1 thread (auto: there is no other)"), undefined);
  assert.equal(
    difference("cpu: a processor, 2 threads (asked for)"),
    "device is cpu: a processor, 2 threads, recorded was cpu: a processor, 1 thread",
  );
});

test("hashDifference() tells another content from the same and from what was not recorded", () => {
  const recorded = { hashes: { "corpus test": "a".repeat(64) } };
  assert.equal(hashDifference(recorded, "corpus test", "a".repeat(64)), undefined);
  assert.equal(hashDifference(recorded, "corpus train", "b".repeat(64)), undefined);
  assert.equal(
    hashDifference(recorded, "corpus test", "b".repeat(64)),
    "corpus test differs: SHA-256 is bbbbbbbbbbbb, recorded was aaaaaaaaaaaa",
  );
});

test("metricDifference() counts the numbers that differ, and names the one that does most", () => {
  const metric = (name: string, value: number): Metric => ({
    evaluation: "test",
    model: "longmem",
    name,
    measure: name,
    value,
    n: 1,
    unit: "",
    higherIsBetter: true,
    metricVersion: 1,
  });
  const summary = (...metrics: Metric[]): RunSummary => ({
    state: "completed",
    experiment: "e",
    run: "r",
    scale: "scaled-down",
    metrics,
  });
  const recorded = summary(metric("accuracy", 0.5), metric("perplexity", 20), metric("rank", 4));
  const difference = (...metrics: Metric[]) => metricDifference(recorded, summary(...metrics));
  assert.equal(difference(...recorded.metrics), "all 3 numbers are the recorded ones");
  assert.equal(
    difference(metric("accuracy", 0.25), metric("perplexity", 21), metric("rank", 4)),
    "2 of 3 numbers differ from the recorded ones, longmem accuracy most: 0.25, recorded was 0.5",
  );
  assert.equal(
    difference(metric("accuracy", 0.5), { ...metric("perplexity", 20), metricVersion: 2 }),
    "all 1 numbers are the recorded ones; 2 more cannot be compared",
  );
  assert.equal(metricDifference(summary(), recorded), undefined);
});
