import type { ReproductionConfig } from "../../src/results/reproduction.ts";
import {
  reproductionNotes,
  reproductionsOf,
  reproductionText,
} from "../../src/results/paper_comparison.ts";
import type { Metric } from "../../src/results/records.ts";
import { formatTables } from "../../src/results/table.ts";
import { assert, assertClose, test } from "../testing.ts";
import { metric, noSums, run, type RunChange, tablesOf } from "./run_records.ts";

const squad: ReproductionConfig = {
  table: "table-5",
  rows: [{ row: "GPT-2*", model: "backbone" }, { row: "LongMem", model: "longmem" }],
  columns: [
    { column: "EM", metric: "exact match", evaluation: "squad" },
    { column: "F1", metric: "f1", evaluation: "squad" },
  ],
};

function measured(model: string, name: string, value: number, change: Partial<Metric> = {}) {
  const ci95: [number, number] = [value - 0.02, value + 0.02];
  const common = { evaluation: "squad", stderr: 0.01, n: 100, higherIsBetter: true };
  return metric({ ...common, model, name, value, ci95, ...change });
}

/** The only comparison of a run at the paper's scale. */
function reproduced(metrics: Metric[], change: RunChange = {}, config = squad) {
  const record = run({
    declaration: { seed: 1, reproduces: config },
    environment: { declarationFile: "experiments/paper/squad.ts" } as never,
    ...change,
    summary: { metrics, scale: "paper", ...change.summary },
  });
  const [tables] = tablesOf([record], noSums);
  const [reproduction, ...others] = reproductionsOf(tables);
  assert.deepEqual(others, []);
  return { reproduction, tables };
}

const metrics = [
  measured("backbone", "exact match", 0.23),
  measured("longmem", "exact match", 0.2),
  measured("longmem", "f1", 0.357),
];

test("reproductionsOf() puts measured numbers beside published ones, in their unit", () => {
  const { reproduction: { cells } } = reproduced(metrics);
  assert.deepEqual(
    cells.map(({ published, measured }) => [published.row, published.column, measured?.n]),
    [["GPT-2*", "EM", 100], ["GPT-2*", "F1", undefined], ["LongMem", "EM", 100], [
      "LongMem",
      "F1",
      100,
    ]],
  );
  const { value, stderr, ci95 } = cells[0].measured!;
  assertClose([value, stderr!, ...ci95!], [23, 1, 21, 25], { tolerance: 1e-9 });
  const { rows, headers } = reproductionText(reproduced(metrics).reproduction);
  assert.deepEqual(headers.join(), "row,column,ours,n,published,trust,difference,verdict");
  assert.deepEqual(rows.map((row) => row.map(({ text }) => text)), [
    [
      "GPT-2*",
      "EM",
      "23.0 \u00b1 1.0 %",
      "100",
      "22.28 (s 2.3) %",
      "verified",
      "+0.7",
      "reproduced",
    ],
    ["GPT-2*", "F1", "not measured", "", "30.78 (s 2) %", "from memory, unverified", "", ""],
    [
      "LongMem",
      "EM",
      "20.0 \u00b1 1.0 %",
      "100",
      "26.77 (s 2.3) %",
      "verified",
      "-6.8",
      "not reproduced",
    ],
    [
      "LongMem",
      "F1",
      "35.7 \u00b1 1.0 %",
      "100",
      "35.7 (s 2) %",
      "from memory, unverified",
      "0.0",
      "none",
    ],
  ]);
});

test("only verified numbers decide, at the paper's scale, in completed runs over all items", () => {
  const verdicts = (change: RunChange["summary"], of = metrics) =>
    reproduced(of, { summary: change! }).reproduction.cells.map(({ verdict }) => verdict);
  const none = Array(4).fill("no-verdict");
  // Our F1 is the published one to the digit, which is not verified.
  assert.deepEqual(verdicts({}), ["reproduced", "no-verdict", "not-reproduced", "no-verdict"]);
  assert.deepEqual(verdicts({ scale: "scaled-down" }), none);
  assert.deepEqual(verdicts({ limit: 5 }), none);
  assert.deepEqual(verdicts({ state: "interrupted" }), none);
  const some = metrics.map((metric) => ({ ...metric, total: 101 }));
  assert.deepEqual(verdicts({}, some), none);
  const alone = metrics.map(({ ci95: _ci95, ...metric }) => metric);
  assert.deepEqual(verdicts({}, alone), none);
});

test("reproductionNotes() names what is missing and the command that measures it", () => {
  const notes = reproductionNotes(reproduced(metrics).reproduction);
  assert.equal(
    notes[0],
    "Not measured: GPT-2* F1; `deno task run experiments/paper/squad.ts` measures what it declares",
  );
  assert.equal(notes[1], "Without a counterpart here: MemTRM");
  const { reproduction } = reproduced(metrics, { summary: { scale: "scaled-down" } });
  assert.match(
    reproductionNotes(reproduction).join("\n"),
    /none of them can be called reproduced or not/,
  );
  const books = reproduced([], {}, {
    table: "table-2",
    rows: [{ row: "LongMem", model: "longmem" }],
    columns: [{ column: ">1M", metric: "perplexity >1M" }],
  });
  assert.match(
    reproductionNotes(books.reproduction).at(-1)!,
    /^LongMem >1M: one of the two numbers/,
  );
});

test("rows may have metrics of an evaluation of their own", () => {
  const { reproduction: { cells } } = reproduced(
    [
      measured("longmem", "accuracy sst-2", 0.6, { evaluation: "four" }),
      measured("longmem", "accuracy sst-2", 0.7, { evaluation: "twenty" }),
    ],
    {},
    {
      table: "table-4",
      rows: [
        { row: "LongMem, 20 shots", model: "longmem", evaluation: "twenty" },
        { row: "LongMem, 4 shots", model: "longmem", evaluation: "four" },
      ],
      columns: [{ column: "SST-2", metric: "accuracy sst-2" }],
    },
  );
  assert.deepEqual(cells.map(({ published: { row } }) => row), [
    "LongMem, 20 shots",
    "LongMem, 4 shots",
  ]);
  assertClose(cells.map(({ measured }) => measured!.value), [70, 60], { tolerance: 1e-9 });
});

test("formatTables() prints the comparison below the tables, as Markdown and HTML", () => {
  const { tables } = reproduced(metrics);
  const text = formatTables([tables], "md");
  assert.match(text, /^### SQuAD, .*: ours beside table-5$/m);
  assert.match(text, /^scale of ours: paper; s: standard deviation over seeds, as published\.$/m);
  assert.match(text, /^- Not measured: GPT-2\* F1; `deno task run /m);
  assert.match(formatTables([tables], "html"), /<td class="number">verified<\/td>/);
  const rows: Record<string, unknown>[] = JSON.parse(formatTables([tables], "json"))
    .filter((row: Record<string, unknown>) => row.publishedTable);
  const of = (row: string, column: string) =>
    rows.find(({ publishedRow, publishedColumn }) =>
      publishedRow === row && publishedColumn === column
    )!;
  const { value, published, publishedDeviation, trust, verdict, unit, model } = of("GPT-2*", "EM");
  assert.deepEqual([value, published, publishedDeviation, trust, verdict, unit, model], [
    23,
    22.28,
    2.3,
    "verified",
    "reproduced",
    "%",
    "backbone",
  ]);
  const missing = of("GPT-2*", "F1");
  assert.deepEqual([missing.value, missing.verdict, missing.published, missing.trust], [
    undefined,
    undefined,
    30.78,
    "from-memory",
  ]);
});
