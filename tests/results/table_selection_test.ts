import { formatList, formatTables } from "../../src/results/table.ts";
import {
  listExperiments,
  selectTables,
  type TableSelection,
} from "../../src/results/table_selection.ts";
import { assert, test } from "../testing.ts";
import { metric, noSums, run, tablesOf } from "./run_records.ts";

const all: TableSelection = { evaluations: [], metrics: [], mainOnly: false };

/** Two experiments; the second has a second evaluation, and parts of perplexities. */
const experiments = tablesOf([
  run(),
  run({
    summary: {
      run: "other-1",
      experiment: "other",
      question: "Why\nnot?",
      state: "failed",
      metrics: ["backbone", "longmem"].flatMap((model) => [
        metric({ model }),
        metric({ model, name: "perplexity <5K" }),
        metric({ model, name: "perplexity 5K-10K" }),
        metric({ model, name: "word perplexity" }),
        metric({ model, evaluation: "recall-test", name: "recall all far", unit: "" }),
      ]),
    },
  }),
], noSums);

/** Names of the metrics in tables and of the runs in them. */
function namesOf(selection: Partial<TableSelection>): [tables: string[], runs: string[]][] {
  return selectTables(experiments, { ...all, ...selection }).map(({ tables, runs }) => [
    tables.flatMap(({ evaluation, columns }) => columns.map(({ name }) => `${evaluation} ${name}`)),
    [
      ...new Set(
        runs.flatMap(({ summary }) =>
          summary.metrics.map(({ evaluation, name }) => `${evaluation} ${name}`)
        ),
      ),
    ],
  ]);
}

test("selectTables() keeps evaluations and metrics with their parts, also in the runs", () => {
  const own = namesOf({}), names = own[1][0];
  assert.equal(names.length, 5);
  for (const [tables, runs] of own) assert.deepEqual(tables.toSorted(), runs.toSorted());
  const perplexities = ["perplexity", "perplexity <5K", "perplexity 5K-10K"]
    .map((name) => `perplexity-test ${name}`);
  const kept = namesOf({ metrics: ["perplexity"] });
  assert.deepEqual(kept.map(([tables]) => tables.toSorted()), [
    ["perplexity-test perplexity"],
    perplexities.toSorted(),
  ]);
  for (const [tables, runs] of kept) assert.deepEqual(tables.toSorted(), runs.toSorted());
  assert.deepEqual(namesOf({ metrics: ["perplexity <5K"] }).map(([tables]) => tables), [
    ["perplexity-test perplexity <5K"],
  ]);
  assert.deepEqual(namesOf({ evaluations: ["recall-test"] }).map(([tables]) => tables), [
    ["recall-test recall all far"],
  ]);
  const both = namesOf({ evaluations: ["recall-test", "perplexity-test"], metrics: ["recall"] });
  assert.deepEqual(both.map(([tables]) => tables), [["recall-test recall all far"]]);
  const main = namesOf({ mainOnly: true })[1][0];
  assert.ok(main.includes("perplexity-test perplexity"));
  assert.ok(!main.includes("perplexity-test perplexity <5K"), "a part has a table of its own");
});

test("selectTables() names what no run has, and what was meant", () => {
  assert.throws(() => namesOf({ evaluations: ["recal-test"] }), {
    name: "RangeError",
    message: 'Cannot print evaluation "recal-test" as no run has it: allowed are ' +
      'perplexity-test, recall-test (did you mean "recall-test"?)',
  });
  assert.throws(
    () => namesOf({ metrics: ["perplexi"] }),
    /metric "perplexi" as no run has it: allowed are perplexity, recall all far, word perplexity \(did you mean "perplexity"/,
  );
});

test("compact tables are the same numbers without questions, notes and legend", () => {
  const selected = selectTables(experiments, { ...all, mainOnly: true });
  const compact = formatTables(selected, "md", { compact: true }).split("\n");
  const whole = formatTables(selected, "md").split("\n");
  const lines = (text: string[]) => text.filter((line) => /^[|#]/.test(line));
  assert.deepEqual(
    lines(compact),
    lines(whole).map((line) => line.replace(/ \(scaled-down.*\)$/, "")),
  );
  assert.deepEqual(compact.filter((line) => line !== "" && !/^[|#]/.test(line)), []);
});

test("a list has an experiment a line, in every format", () => {
  const listed = listExperiments(experiments);
  assert.deepEqual(listed[1], {
    experiment: "other",
    runs: 1,
    completed: 0,
    evaluations: ["perplexity-test", "recall-test"],
    question: "Why\nnot?",
  });
  const lines = formatList(listed, "md").trimEnd().split("\n");
  assert.equal(lines.length, 4);
  assert.match(lines[2], /^\| novels +\| 1 +\| perplexity-test +\|/);
  assert.match(
    lines[3],
    /^\| other +\| 0 of 1 completed \| perplexity-test, recall-test \| Why not\? +\|$/,
  );
  assert.deepEqual(JSON.parse(formatList(listed, "json")), listed);
  assert.match(
    formatList(listed, "csv"),
    /^other,0 of 1 completed,"perplexity-test, recall-test","Why\nnot\?"$/m,
  );
  assert.match(formatList(listed, "html"), /<th scope="row">other<\/th>/);
});
