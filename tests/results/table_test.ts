import type { RunRecord } from "../../src/results/read_runs.ts";
import { formatTables, legend, type TableFormat } from "../../src/results/table.ts";
import { assert, assertClose, test } from "../testing.ts";
import {
  catalogOf,
  metric,
  noSums,
  run,
  scoredRun,
  scoreSums,
  sumScores,
  tablesOf,
  timed,
} from "./run_records.ts";

function format(runs: readonly RunRecord[], format: TableFormat): string {
  return formatTables(tablesOf(runs, scoreSums), format);
}

/** Cells of the lines of Markdown tables. */
function cells(text: string): string[][] {
  return text.split("\n").filter((line) => line.startsWith("|"))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()));
}

const better = Array.from({ length: 12 }, (_, i) => i < 10 ? 1 : 0);
const worse = Array.from({ length: 12 }, (_, i) => i < 3 ? 1 : 0);
const alike = Array.from({ length: 12 }, (_, i) => i < 4 ? 1 : 0);

test("formatTables() prints models by metrics, with what is needed to judge them", () => {
  const quiz = scoredRun({ backbone: worse, longmem: better, other: alike }, {
    summary: { question: "Does memory help?" },
  });
  assert.equal(
    format([quiz], "md"),
    `## novels (scaled-down)

Does memory help?

### quiz

| model    |        accuracy |           vs backbone |
| -------- | --------------: | --------------------: |
| backbone |     0.25 ± 0.13 |                       |
| longmem  | **0.83 ± 0.11** |    +0.58 [0.25, 0.92] |
| other    |   ≈ 0.33 ± 0.14 | +0.083 [0.000, 0.333] |

n = 12; higher is better; scaled-down.

- n: what was scored.
- ±: standard error, over the items or, where they are named below a table, over the documents, books or draws that these belong to.
- vs: difference from the first model on the same items, and its 95 % interval: bootstrap over what ± is over.
- ≈: that difference is inside the noise: its interval holds 0, or fewer than 6 of what ± is over differ.
- Bold: the best of its column, where the difference from every other is outside the noise.
`,
  );
});

test("formatTables() captions: only the paper's scale goes unlabelled, a limit is told", () => {
  const title = (summary: RunRecord["summary"]) => format([run({ summary })], "md").split("\n")[0];
  const { summary } = run();
  assert.equal(title({ ...summary, scale: "paper" }), "## novels");
  assert.equal(title(summary), "## novels (scaled-down)");
  assert.equal(
    title({ ...summary, limit: 2 }),
    "## novels (scaled-down, limited to 2 items per evaluation)",
  );
  const some = [undefined, 12, 2].map((limit) =>
    run({ summary: { ...summary, ...limit && { limit } } })
  );
  assert.equal(
    format(some, "md").split("\n")[0],
    "## novels (scaled-down, some limited to 2 or 12 items per evaluation)",
  );
});

test("formatTables() says below a table what standard errors are over, where that is not what was counted", () => {
  const quiz = scoredRun({ backbone: worse, longmem: better });
  const note = (items: number, unit?: string) =>
    formatTables(
      tablesOf(
        [quiz],
        catalogOf((metric, samples) => {
          const sums = sumScores(metric, samples.slice(0, items));
          return sums && { ...sums, ...(unit && { unit }) };
        }),
      ),
      "md",
    ).split("\n").find((line) => line.startsWith("n = "));
  assert.equal(note(12), "n = 12; higher is better; scaled-down.");
  assert.equal(note(3, "books"), "n = 12; \u00b1 over 3 books; higher is better; scaled-down.");
  assert.equal(note(1, "books"), "n = 12; \u00b1 over 1 book; higher is better; scaled-down.");
});

test("formatTables() says what a missing standard error means", () => {
  const certain = run({ summary: { metrics: [metric({ value: 1, stderr: 0 })] } });
  assert.match(format([certain], "md"), / 1\.000 \|[^]*A number without \u00b1/);
  assert.doesNotMatch(format([run()], "md"), /A number without|in place of/);
  const all = run({
    summary: { metrics: [metric({ name: "accuracy", value: 1, stderr: 0, n: 96 })] },
  });
  assert.match(format([all], "md"), / 1\.0000 \[0\.9615, 1\.0000\] \|[^]*Wilson's/);
  const [, line] = format([all], "csv").split("\n");
  assert.match(line, /,accuracy,1,,,0\.9615\d*,1,96,/);
});

test("formatTables() tells seeds' spread in an evaluation's first table alone, which are wide enough", () => {
  const seeds = [1, 2].map((seed) =>
    run({
      declaration: { seed },
      summary: { run: `seed${seed}`, metrics: [metric({}), metric({ name: "perplexity <5K" })] },
    })
  );
  const values = cells(format(seeds, "md")).filter(([model]) => model === "backbone");
  assert.deepEqual(values.map((row) => row.at(-1)), [
    "24.12 \u00b1 0.35, \u03c3 0.0",
    "24.12 \u00b1 0.35",
  ]);
});

test("formatTables() says unit, direction and n once where all columns agree, else by column", () => {
  const one = run({
    summary: { metrics: [metric({ unit: "nats" }), metric({ unit: "nats", name: "loss" })] },
  });
  assert.match(format([one], "md"), /^n = 13; in nats; lower is better; /m);
  const mixed = run({
    summary: {
      metrics: [
        metric({ unit: "nats", n: 2, total: 13 }),
        metric({ name: "accuracy", higherIsBetter: true, n: 1234 }),
      ],
    },
  });
  const text = format([mixed], "md");
  assert.match(text, /^scaled-down; perplexity: in nats\.$/m);
  assert.match(text, /\u2191, \u2193: higher or lower is better/);
  assert.deepEqual(cells(text), [
    ["model", "perplexity \u2193", "accuracy \u2191"],
    cells(text)[1],
    ["backbone", "24.12 \u00b1 0.35", "24.12 \u00b1 0.35"],
    ["n", "2 of 13", "1,234"],
  ]);
});

test("legend() says so where differences are over what draws ask, too", () => {
  const quiz = scoredRun({ backbone: worse, longmem: better });
  const said = (isCrossed: boolean) =>
    legend(tablesOf(
      [quiz],
      catalogOf((metric, samples) => {
        const sums = sumScores(metric, samples)!;
        return isCrossed ? { ...sums, across: sums } : sums;
      }),
    )).join(" ");
  assert.match(
    said(true),
    /bootstrap over what \u00b1 is over, of draws over what they ask, too\./,
  );
  assert.match(said(false), /bootstrap over what \u00b1 is over\./);
});

test("formatTables() tells seeds' spread apart from the items'", () => {
  const seeds = [1, 2].map((seed) =>
    scoredRun({ backbone: seed === 1 ? worse : alike }, {
      declaration: { seed },
      summary: { run: `seed${seed}` },
    })
  );
  const text = format(seeds, "md");
  // 3 / 12 and 4 / 12: s = 1 / 12 / sqrt(2); variances over items 3/16 / 11 and 2/9 / 11.
  assert.deepEqual(cells(text).at(-1), ["backbone", "2", "0.29 \u00b1 0.14, \u03c3 0.059"]);
  assert.match(text, /\u03c3: sample standard deviation over seeds/);
  const rows = JSON.parse(format(seeds, "json"));
  assert.deepEqual(
    rows.map(({ run, seed, seeds }: Record<string, unknown>) => [run, seed, seeds]),
    [["seed1", 1, 1], ["seed2", 2, 1], [undefined, undefined, 2]],
  );
  assert.ok(Math.abs(rows[2].seedDeviation - Math.SQRT1_2 / 12) < 1e-12);
  assertClose([rows[2].stderr], [Math.sqrt((3 / 16 + 2 / 9) / 2 / 11)], { tolerance: 1e-12 });
});

test("formatTables() counts the seeds of which a model has numbers", () => {
  const of = (seed: number, scores: Parameters<typeof scoredRun>[0]) =>
    scoredRun(scores, {
      declaration: { name: "novels", seed },
      summary: { run: `seed${seed}`, state: seed === 3 ? "interrupted" : "completed" },
    });
  const whole = { backbone: worse, longmem: better };
  const text = format([of(1, whole), of(2, whole), of(3, { backbone: worse })], "md");
  assert.match(text, /\| backbone +\| 3 +\|/);
  assert.match(text, /\| longmem +\| 2 +\|/);
});

test("formatTables() has what a sweep varies as its first columns", () => {
  const runs = [64, 8].map((size) =>
    scoredRun({ longmem: better }, {
      declaration: { seed: 1, memory: { size } },
      summary: { run: `m${size}`, variation: { "memory.size": size, seed: 1 } },
    })
  );
  assert.deepEqual(cells(format(runs, "md")).map((row) => row.slice(0, 2)).toSpliced(1, 1), [
    ["size", "model"],
    ["8", "longmem"],
    ["64", "longmem"],
  ]);
  assert.match(format(runs, "md"), /; size: memory\.size\.$/m);
  const [, line] = format(runs, "csv").split("\n");
  assert.match(line, /^novels,scaled-down,m64,memory\.size=64 seed=1,completed,/);
  const seeds = [1, 2].map((seed) => ({
    ...runs[0],
    declaration: { seed, memory: { size: 64 } },
    summary: { ...runs[0].summary, variation: { "memory.size": 64, seed } },
  }));
  assert.match(format(seeds, "csv"), /^novels,scaled-down,,memory\.size=64,,,,2,/m);
});

test("formatTables() lists what is not completed, with what to do", () => {
  const environment = { declarationFile: "a.ts" } as never;
  const unfinished = (["failed", "interrupted", "running", "stopped", "planned"] as const).map((
    state,
  ) =>
    run({
      environment,
      summary: {
        run: state,
        state,
        metrics: [],
        ...(state === "failed" && { error: "Cannot go on" }),
      },
    })
  );
  const lines = format(unfinished, "md").split("\n").filter((line) => line.startsWith("-"));
  assert.deepEqual(lines, [
    "- failed failed: Cannot go on; once that is mended, `deno task run a.ts --retry-failed` goes on",
    "- interrupted was interrupted; `deno task run a.ts` resumes it",
    "- running is running; once it is stopped, `deno task run a.ts` resumes it",
    "- stopped was stopped; `deno task run a.ts` resumes it",
    "- planned has not begun; `deno task run a.ts` runs it",
  ]);
});

test("formatTables() names runs together that one command begins", () => {
  const planned = [1, 2].map((size) =>
    run({
      declarationFile: "sizes.ts",
      declaration: { evaluations: size === 1 ? [{ kind: "recall" }] : timed },
      summary: { run: `m${size}`, state: "planned", metrics: [] },
    })
  );
  const lines = (runs: RunRecord[]) =>
    format(runs, "md").split("\n").filter((line) => line.startsWith("-"));
  assert.deepEqual(lines([planned[0], { ...planned[0], path: "results/novels/m3" }]), [
    "- 2 runs have not begun; `deno task run sizes.ts` runs them",
  ]);
  assert.deepEqual(lines(planned), [
    "- m1 has not begun; `deno task run sizes.ts` runs it",
    "- m2 has not begun; `deno task measure sizes.ts` runs it",
  ], "what starts processes needs another task");
});

test("formatTables() separates experiments", () => {
  const titles = format([run(), run({ summary: { experiment: "other" } })], "md")
    .split("\n").filter((line) => line.startsWith("## "));
  assert.deepEqual(titles, ["## novels (scaled-down)", "## other (scaled-down)"]);
});

test("formatTables() prints a value without standard error by its own digits", () => {
  const { stderr: _stderr, ci95: _ci95, ...single } = metric({ n: 1 });
  const cell = (value: number) =>
    cells(format([run({ summary: { metrics: [{ ...single, value }] } })], "md"))[2][1];
  assert.equal(cell(24.12345), "24.12");
  assert.equal(cell(51200.4), "51200");
  assert.equal(cell(0.0123456), "0.01235");
});

test("formatTables() takes what rounding leaves for nothing", () => {
  const cell = (value: number, stderr: number) =>
    cells(format([run({ summary: { metrics: [metric({ value, stderr })] } })], "md"))[2][1];
  assert.equal(cell(0.5, 6e-17), "0.5000");
  assert.equal(cell(6e-17, 0), "0.000");
});

test("formatTables() as csv has one number a line, quoted where needed", () => {
  const quiz = run({
    declaration: { seed: 7 },
    summary: { limit: 2, metrics: [metric({ unit: 'nats, "natural"' })] },
  });
  assert.equal(
    format([quiz], "csv"),
    "experiment,scale,run,variation,state,limit,seed,seeds,evaluation,model,metric,value,stderr,seedDeviation," +
      "ci95Low,ci95High,n,total,unit,higherIsBetter,metricVersion,baseline,difference,differenceLow,differenceHigh,insideNoise," +
      "publishedTable,publishedRow,publishedColumn,published,publishedDeviation,trust,verdict\n" +
      "novels,scaled-down,m1024-seed1,,completed,2,7,1,perplexity-test,backbone,perplexity,24.1234,0.3456,," +
      '23.2,25.1,13,,"nats, ""natural""",false,1,,,,,,,,,,,,\n',
  );
});

test("formatTables() as json has every digit, and paired differences", () => {
  const rows = JSON.parse(format([scoredRun({ backbone: worse, longmem: better })], "json"));
  assert.equal(rows.length, 2);
  assert.equal(rows[0].difference, undefined);
  const { value, baseline, difference, differenceLow, differenceHigh, insideNoise } = rows[1];
  assert.deepEqual([value, baseline, insideNoise], [10 / 12, "backbone", false]);
  assert.ok(Math.abs(difference - 7 / 12) < 1e-12);
  assert.ok(0 < differenceLow && differenceLow < difference && difference < differenceHigh);
});

test("formatTables() names the first model of each run where runs begin with others", () => {
  const of = (models: string[], name: string) =>
    scoredRun(
      Object.fromEntries(models.map((model) => [model, model === "longmem" ? better : worse])),
      {
        declaration: { name: "novels", run: name },
        summary: { run: name },
      },
    );
  const runs = [of(["backbone", "longmem"], "a"), of(["longmem", "backbone"], "b")];
  const rows = JSON.parse(format(runs, "json")) as Record<string, unknown>[];
  assert.deepEqual(
    rows.map((
      { run, model, baseline, difference },
    ) => [run, model, baseline, Math.sign(Number(difference ?? 0))]),
    [
      ["a", "backbone", undefined, 0],
      ["a", "longmem", "backbone", 1],
      ["b", "longmem", undefined, 0],
      ["b", "backbone", "longmem", -1],
    ],
  );
  assert.match(format(runs, "md"), /\| +vs first model \|/);
  assert.match(format(runs.slice(0, 1), "md"), /\| +vs backbone \|/);
});

test("formatTables() as html has captions, headings of columns and rows, and escapes", () => {
  const quiz = scoredRun({ "a<b>": worse, longmem: better }, {
    summary: { question: 'Is "1 < 2" & so on?' },
  });
  const html = format([quiz], "html");
  assert.match(html, /<p>Is &quot;1 &lt; 2&quot; &amp; so on\?<\/p>/);
  assert.match(
    html,
    /<caption>quiz<\/caption>[^]*<\/table>\n<p class="note">n = 12; higher is better; scaled-down\.<\/p>/,
  );
  assert.match(html, /<th scope="col">model<\/th><th scope="col" class="number">accuracy<\/th>/);
  assert.match(html, /<th scope="row">a&lt;b&gt;<\/th>/);
  assert.match(
    html,
    /<th scope="row">longmem<\/th><td class="number" data-value="0\.8333333333333334"><strong>0\.83 \u00b1 0\.11<\/strong>/,
  );
});

test("metrics are found among tables in one pass, however many runs there are", () => {
  /** Cells read while runs are printed as CSV. */
  const readsOf = (count: number): number => {
    const runs = Array.from({ length: count }, (_, i) => run({ summary: { run: `run-${i}` } }));
    const [experiment] = tablesOf(runs, noSums);
    let reads = 0;
    const counted = experiment.tables.map((table) => ({
      ...table,
      rows: table.rows.map((row) => ({
        ...row,
        get cells() {
          reads += row.cells.length;
          return row.cells;
        },
      })),
    }));
    const text = formatTables([{ ...experiment, tables: counted }], "csv");
    assert.equal(text.trimEnd().split("\n").length, 1 + 2 * count);
    return reads;
  };
  const [few, many] = [readsOf(20), readsOf(200)];
  assert.ok(few > 0 && many <= 12 * few, `${few} of 20 runs, ${many} of 200`);
});

test("Markdown keeps text of records in its line and its cell, and CSV makes no formula of it", () => {
  const [experiment] = tablesOf([
    run({
      summary: {
        question: "Is it\n## larger?<script>alert(1)</script>",
        metrics: [metric({ model: "=cmd|' /C calc'!A0<b>" }), metric({ model: "-1+1" })],
      },
    }),
  ], noSums);
  const text = formatTables([experiment], "md");
  assert.match(text, /^Is it ## larger\?&lt;script>alert\(1\)&lt;\/script>$/m);
  assert.match(text, /^\| =cmd\\\|' \/C calc'!A0&lt;b> +\|/m);
  const csv = formatTables([experiment], "csv");
  assert.match(csv, /,'=cmd/);
  assert.match(csv, /,'-1\+1,/);
  assert.doesNotMatch(csv, /,[=@]/);
});

test("formatTables() as md keeps text of records in its line and out of HTML, headings and lists", () => {
  const cases: [text: string, line: string][] = [
    ["What\nis\r\n\n# this?", "What is # this?"],
    [
      "Is <b>it</b> <script>alert(1)</script>?",
      "Is &lt;b>it&lt;/b> &lt;script>alert(1)&lt;/script>?",
    ],
    ["Is <!-- it --> 1 < 2 and <5K?", "Is &lt;!-- it --> 1 < 2 and <5K?"],
    ["# Is it?", "\\# Is it?"],
    ["- Is it?", "\\- Is it?"],
    ["> Is it?", "\\> Is it?"],
    ["1. Is it?", "1\\. Is it?"],
    ["-5 or `<s>`?", "-5 or `<s>`?"],
  ];
  for (const [question, line] of cases) {
    const text = formatTables(
      tablesOf([run({ summary: { question } })], noSums),
      "md",
    );
    assert.equal(text.split("\n")[2], line, question);
    assert.doesNotMatch(text, /<(b|script|!--)/);
  }
  const [left, right] = ["a|b\\", "a\\|b\nc<i>"].map((name) => metric({ model: name }));
  const table = formatTables(
    tablesOf([run({ summary: { metrics: [left, right] } })], noSums),
    "md",
  );
  assert.match(table, /^\| a\\\|b\\\\ +\|/m);
  assert.match(table, /^\| a\\\\\\\|b c&lt;i> +\|/m);
  const remarks = formatTables(
    tablesOf([run()], noSums).map((experiment) => ({
      ...experiment,
      remarks: ["a\n## b <img>"],
    })),
    "md",
  );
  assert.match(remarks, /^- a ## b &lt;img>$/m);
});

test("formatTables() as csv has no text that a spreadsheet takes for a formula", () => {
  for (const text of ["=1+1", "+cmd", "-x", "@sum", "\tx", "\rx"]) {
    const values = metric({ model: text, value: -0.5 });
    const csv = formatTables(
      tablesOf([run({ summary: { metrics: [values] } })], noSums),
      "csv",
    );
    assert.ok(csv.includes(`'${text}`), JSON.stringify(text));
    assert.doesNotMatch(csv, new RegExp(`(^|,)"?\\${text[0]}(?!0\\.5)`, "m"));
    assert.match(csv, /,-0\.5,/, "a number stays one");
  }
});
