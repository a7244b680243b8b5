import { parseHTML } from "linkedom";
import { experimentTables } from "../../src/results/evaluation_table.ts";
import { experimentReport } from "../../src/results/report.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { chromiumTest, inPage } from "./chromium.ts";
import { metric, run, scoredRun, scoreSums } from "./run_records.ts";

/** Scores of twenty questions: `right` of them are answered. */
function answers(right: number): number[] {
  return Array.from({ length: 20 }, (_, i) => i < right ? 1 : 0);
}

const training = Array.from({ length: 100 }, (_, i) => ({
  phase: "longmem",
  step: i + 1,
  split: "train" as const,
  tokens: 256 * (i + 1),
  loss: 5 - i / 50,
}));

const environment = {
  startedAt: "2026-01-01T00:00:00.000Z",
  commit: "0123abcd",
  dirty: true,
  deno: "2.9.6",
  v8: "15",
  packages: { zod: "4.1.0" },
  system: "linux",
  cpu: "cpu <4>",
  cores: 2,
  memoryBytes: 2 ** 34,
  declarationFile: "experiments/sizes.ts",
  device: "cpu: native",
  hashes: { "corpus train": "ab12" },
  wallSeconds: 61.5,
  peakMemoryBytes: 3 * 2 ** 29,
  earlier: [],
};

/** Runs of three memories, of which one failed. */
function sweep() {
  return [64, 256, 16].map((size, i) =>
    scoredRun({
      backbone: answers(4),
      longmem: answers([12, 17, 9][i]),
      "longmem-memory-off": answers(4),
    }, {
      path: `results/sizes/m${size}`,
      declaration: { seed: 1, memory: { capacityTokens: size }, note: "a < b" },
      environment,
      training,
      summary: {
        experiment: "sizes",
        run: `m${size}`,
        question: 'Is "more" better & <why>?',
        variation: { "memory.capacityTokens": size },
        ...(i === 2 && { state: "failed", error: "Cannot go on" }),
      },
    })
  );
}

function report(runs = sweep()) {
  const [tables] = experimentTables(runs, scoreSums);
  return experimentReport(tables, scoreSums);
}

// deno-lint-ignore no-explicit-any -- the document of a library without types of documents
function documentOf(html: string): any {
  return (parseHTML(html) as unknown as { document: unknown }).document;
}

test("experimentReport() has question, findings, tables, figures and where the runs ran", () => {
  const { html, figures } = report();
  const page = documentOf(html);
  assert.equal(page.querySelector("h1").textContent, "sizes");
  assert.equal(page.querySelector(".question").textContent, 'Is "more" better & <why>?');
  const parts = [...page.querySelectorAll("h2")].map((heading) => heading.textContent);
  assert.deepEqual(parts, ["What was found", "Tables", "Figures", "Runs"]);
  const found = page.querySelector(".findings").textContent;
  assert.match(found, /quiz, by capacityTokens: LongMem's accuracy is best at 256 \(0\.850/);
  assert.match(found, /m16 failed: Cannot go on; .*--retry-failed/);
  assert.deepEqual(figures.map(({ name }) => name), [
    "quiz-capacityTokens",
    "training-longmem",
  ]);
  assert.equal(page.querySelectorAll("figure > svg").length, 2);
  const runs = [...page.querySelectorAll("#runs > details")].map((run) => run.textContent);
  assert.equal(runs.length, 3);
  for (
    const fact of [
      "0123abcd, with local changes",
      "61.5 s",
      "1.5 GiB",
      "cpu <4>, 2 cores",
      "zod 4.1.0",
      "ab12",
      '"note": "a < b"',
    ]
  ) assert.ok(runs[0].includes(fact), fact);
});

test("experimentReport() of the same results is the same page, and needs nothing else", () => {
  const { html } = report();
  assert.equal(report().html, html);
  const page = documentOf(html);
  assert.equal(page.querySelectorAll("script[src], img[src], iframe, object, embed").length, 0);
  for (const link of page.querySelectorAll("[href]")) {
    assert.match(link.getAttribute("href"), /^(#|data:)/);
  }
  assert.doesNotMatch(html, /@import|url\(/);
});

test("experimentReport() can be read by those who do not see it", () => {
  const page = documentOf(report().html);
  assert.equal(page.documentElement.getAttribute("lang"), "en");
  assert.ok(page.querySelector("title").textContent.includes("sizes"));
  assert.equal(page.querySelectorAll("h1").length, 1);
  for (const landmark of ["header", "nav[aria-label]", "main", "footer"]) {
    assert.equal(page.querySelectorAll(landmark).length, 1, landmark);
  }
  const tables = [...page.querySelectorAll("table")];
  assert.ok(tables.length >= 1);
  for (const table of tables) {
    assert.ok(table.querySelector("caption").textContent.length > 0);
    for (const heading of table.querySelectorAll("th")) {
      assert.match(heading.getAttribute("scope"), /^(col|row)$/);
    }
    for (const row of table.querySelectorAll("tbody tr")) assert.ok(row.querySelector("th"));
  }
  for (const image of page.querySelectorAll("svg")) {
    assert.equal(image.getAttribute("role"), "img");
    const name = page.getElementById(image.getAttribute("aria-labelledby"));
    const description = page.getElementById(image.getAttribute("aria-describedby"));
    assert.ok(name.textContent.length > 0 && description.textContent.length > 0);
  }
  const ids = [...page.querySelectorAll("[id]")].map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "ids are unique");
  for (const link of page.querySelectorAll("nav a")) {
    assert.ok(page.getElementById(link.getAttribute("href").slice(1)), link.getAttribute("href"));
  }
});

test("the colours of a report have the contrast of WCAG AA in both themes", async () => {
  const styles = await Deno.readTextFile(repositoryPath("src/results/report.css"));
  const themes = [...styles.matchAll(/:root \{([^}]*)\}/g)].map(([, rules]) =>
    Object.fromEntries(
      [...rules.matchAll(/--([a-z]+): (#[0-9a-f]{6});/g)].map((rule) => rule.slice(1)),
    )
  );
  assert.equal(themes.length, 2);
  for (const theme of themes) {
    for (const colour of ["text", "quiet", "accent"]) {
      for (const ground of ["background", "panel"]) {
        const ratio = contrast(theme[colour], theme[ground]);
        assert.ok(ratio >= 4.5, `${colour} on ${ground}: ${ratio.toFixed(2)}`);
      }
    }
  }
});

/** Contrast of two colours, as WCAG 2.2 defines it. */
function contrast(first: string, second: string): number {
  const [dark, light] = [first, second].map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

test("experimentReport() has figures of models, of distances, and of what is swept", () => {
  const names = (runs: Parameters<typeof report>[0]) =>
    report(runs).figures.map(({ name }) => name);
  assert.deepEqual(names([scoredRun({ backbone: answers(4), longmem: answers(12) })]), [
    "quiz-models",
  ]);
  const recalls = ["128-256", "256-512", ">4096"].map((distance, i) =>
    metric({
      evaluation: "recall-test",
      model: "longmem",
      name: `recall far ${distance}`,
      value: 0.9 - i / 10,
      ci95: [0.5, 0.95],
      n: i === 2 ? 3 : 100,
      higherIsBetter: true,
    })
  );
  const { figures } = report([run({ summary: { metrics: recalls } })]);
  assert.deepEqual(figures.map(({ name }) => name), ["recall-test-distance"]);
  // 181 and 362 are the middles; the third distance has too few questions.
  assert.match(figures[0].svg, /longmem: 0\.900 at 181, 0\.800 at 362\./);
  assert.doesNotMatch(figures[0].svg, /0\.700/);
  assert.deepEqual(report([run({ summary: { metrics: [metric({})] } })]).figures, []);
});

test("a curve of many steps is drawn as means of neighbours, up to the last step", () => {
  const [, { svg }] = report().figures;
  // 100 steps in parts of 4: the first is the mean of steps 1 to 4, the last that of 97 to 100.
  assert.match(svg, /4\.97 at 3, 3\.05 at 99/);
});

/** Text of the first two columns of the first table, row by row. */
const readRows = `() => [...document.querySelector("table").tBodies[0].rows]
  .map(({ cells }) => cells[0].textContent + " " + cells[1].textContent)`;

chromiumTest("a report opens without errors, and loads nothing", async () => {
  const { result, errors } = await inPage<{ resources: number; title: string; overflow: number }>(
    report().html,
    `() => ({
      resources: performance.getEntriesByType("resource").length,
      title: document.title,
      overflow: document.documentElement.scrollWidth - innerWidth,
    })`,
  );
  assert.deepEqual(errors, []);
  assert.deepEqual([result.resources, result.title], [0, "sizes: report"]);
  assert.ok(result.overflow <= 0, `the page is ${result.overflow} pixels too wide`);
});

chromiumTest("a report in a narrow window scrolls its tables, not the page", async () => {
  const { result } = await inPage<number>(
    report().html,
    "() => document.documentElement.scrollWidth - innerWidth",
    { width: 500 },
  );
  assert.ok(result <= 0, `the page is ${result} pixels too wide`);
});

chromiumTest("tables are sorted by their headings, numbers as numbers, and back", async () => {
  const clicked = (column: number, times: number) =>
    inPage<{ rows: string[]; sorted: (string | null)[] }>(
      report().html,
      `() => {
        const heading = document.querySelector("table").tHead.rows[0].cells[${column}];
        for (let i = 0; i < ${times}; i++) heading.querySelector("button").click();
        const sorted = [...document.querySelector("table").tHead.rows[0].cells].map((cell) => cell.getAttribute("aria-sort"));
        return { rows: (${readRows})(), sorted };
      }`,
    );
  const unsorted = await inPage<string[]>(report().html, readRows);
  assert.deepEqual(unsorted.result.slice(0, 4), [
    "16 backbone",
    "16 longmem",
    "16 longmem-memory-off",
    "64 backbone",
  ]);
  // As texts, 64 would come before 256.
  const sizes = await clicked(0, 2);
  assert.deepEqual(
    sizes.result.rows.map((row) => row.split(" ")[0]).join(),
    "256,256,256,64,64,64,16,16,16",
  );
  assert.equal(sizes.result.sorted[0], "descending");
  assert.deepEqual(sizes.errors, []);
  const accuracy = await clicked(2, 2);
  assert.deepEqual(accuracy.result.rows.slice(0, 3), ["256 longmem", "64 longmem", "16 longmem"]);
  assert.deepEqual(accuracy.result.sorted, [null, null, "descending", null]);
});

chromiumTest("figures of a report are seen", async () => {
  const { result } = await inPage<{ width: number; height: number; marks: number }[]>(
    report().html,
    `() => [...document.querySelectorAll("figure svg")].map((svg) => {
      const { width, height } = svg.getBoundingClientRect();
      const seen = [...svg.querySelectorAll("path, circle")].filter((mark) => getComputedStyle(mark).stroke !== "none");
      return { width, height, marks: seen.length };
    })`,
  );
  assert.equal(result.length, 2);
  for (const { width, height, marks } of result) {
    assert.ok(width > 300 && height > 150 && marks > 2, JSON.stringify({ width, height, marks }));
  }
});
