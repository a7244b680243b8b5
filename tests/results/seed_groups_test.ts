import {
  bySweptValues,
  replicaGroups,
  sweptHeadings,
  variations,
} from "../../src/results/seed_groups.ts";
import { fieldNoun } from "../../src/results/field_nouns.ts";
import type { Variation } from "../../src/results/records.ts";
import { assert, test } from "../testing.ts";
import { run } from "./run_records.ts";

/** A run of a sweep. */
function swept(variation: Variation, name = "r") {
  return run({ summary: { run: name, variation } });
}

test("replicaGroups() puts seeds together in their order, a seed that is there twice apart", () => {
  const runs = [3, 1, 2, 1, 3].map((seed, i) =>
    run({ declaration: { seed, steps: 10 }, summary: { run: `r${i}` } })
  );
  const other = run({ declaration: { seed: 1, steps: 20 }, summary: { run: "other" } });
  const names = replicaGroups([...runs, other]).map((group) => group.map((r) => r.summary.run));
  assert.deepEqual(names, [["r1", "r2", "r0"], ["r3", "r4"], ["other"]]);
});

test("bySweptValues() orders by the first field that differs, numbers by size, whatever the seed", () => {
  const ordered = [
    { seed: 3, index: "flat", size: 64 },
    { seed: 1, index: "flat", size: 512 },
    { seed: 2, index: "hnsw", size: 8 },
    { seed: 1, index: "hnsw", size: 1024 },
  ].map((variation) => [swept(variation)]);
  for (const turn of [[3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]]) {
    assert.deepEqual(turn.map((i) => ordered[i]).toSorted(bySweptValues), ordered);
  }
});

test("variations() tell groups apart by short names, values of every form, and runs where these do not", () => {
  const groups = [
    [swept({
      "sidenet.initialization": { kind: "blocks", blocks: [0, 2] },
      "a.list": [1, 2],
      seed: 1,
    })],
    [swept({ "sidenet.initialization": { kind: "random" }, "a.list": null, seed: 1 })],
  ];
  const headings = sweptHeadings(groups.flat());
  assert.deepEqual([...headings.values()], ["initialization", "list"]);
  const plain = (fields: Record<string, string>[]) => fields.map((each) => ({ ...each }));
  assert.deepEqual(plain(variations(groups, headings)), [
    { initialization: "blocks [0,2]", list: "[1,2]" },
    { initialization: "random", list: "null" },
  ]);
  assert.deepEqual(variations(groups.slice(1), headings), [{}]);
  const alike = ["x", "y"].map((name) => [swept({ "memory.size": 8, "bank.size": 4 }, name)]);
  const long = sweptHeadings(alike.flat());
  assert.deepEqual([...long.values()], ["memory.size", "bank.size"]);
  assert.deepEqual(
    variations(alike, long).map(({ run }) => run),
    ["x", "y"],
  );
  const limits = [undefined, 2, 8].map((limit) => [
    run({ summary: { run: "r", ...(limit !== undefined && { limit }) } }),
  ]);
  const none = new Map<string, string>();
  assert.deepEqual(plain(variations(limits, none)), [
    { limit: "none" },
    { limit: "2" },
    { limit: "8" },
  ]);
  assert.deepEqual(
    plain(variations([...limits, ...alike], long)).map(({ limit }) => limit),
    [undefined, undefined, undefined, undefined, undefined],
    "two are without a limit",
  );
});

test("variations() and fieldNoun() inherit no field, whatever a record calls its own", () => {
  for (const name of ["constructor", "toString", "valueOf"]) {
    const groups = [[swept({ [name]: 1 }, "a")], [swept({ "memory.size": 1 }, "b")]];
    const [first, second] = variations(groups, sweptHeadings(groups.flat()));
    assert.equal(first[name], "1");
    assert.equal(second[name], undefined);
    assert.deepEqual(fieldNoun(`memory.${name}`), { label: name });
  }
});
