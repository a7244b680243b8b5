import { parseHTML } from "linkedom";
import { metricCatalog } from "../../src/evaluation/metric_catalog.ts";
import type { Metric } from "../../src/results/records.ts";
import { experimentReport } from "../../src/results/report.ts";
import { reportFigures } from "../../src/results/report_figures.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { chromiumTest, inPage } from "./chromium.ts";
import { metric, run, scoredRun, scoreSums, tablesOf } from "./run_records.ts";

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
  const [tables] = tablesOf(runs, scoreSums);
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
  assert.match(found, /quiz, by capacityTokens: accuracy of the longmem is best at 256 \(0\.850/);
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

test("experimentReport() says below the first table from how much text models predict", () => {
  const [tables] = tablesOf(sweep(), scoreSums);
  const { html } = experimentReport(tables, scoreSums);
  const notes = [...html.matchAll(/<p class="note">(Text behind .*?)<\/p>/g)].map(([, text]) =>
    text
  );
  assert.deepEqual(notes, [
    "Text behind each prediction, at most: longmem: 8 tokens and 64 in memory.",
  ]);
});

test("experimentReport() links the pages of inspections in the folders of runs", () => {
  const [first, ...others] = sweep();
  const { html } = report([{ ...first, inspections: ["a <1>.memory.html"] }, ...others]);
  const links = [...documentOf(html).querySelectorAll("#runs a")];
  assert.deepEqual(
    links.map((link) => [link.getAttribute("href"), link.textContent]),
    [["m64/a%20%3C1%3E.memory.html#most", "Tokens that the memory helped and hurt most, in a <1>"]],
  );
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
    for (const name of ["title", "desc"]) {
      assert.ok(image.querySelector(name).textContent.length > 0, name);
    }
  }
  const levels = [...page.querySelectorAll("h1, h2, h3, h4")].map(({ tagName }) =>
    Number(tagName.slice(1))
  );
  levels.forEach((level, i) => assert.ok(level <= (levels[i - 1] ?? 0) + 1, "no level is skipped"));
  const parts = [metric({}), metric({ name: "perplexity <5K" })];
  const scrolled = documentOf(report([run({ summary: { metrics: parts } })]).html);
  const names = [...scrolled.querySelectorAll(".scroll[tabindex][role]")]
    .map((part) => part.getAttribute("aria-label"));
  assert.deepEqual(names, [
    "perplexity-test",
    "perplexity-test, perplexity by length in GPT-2 tokens",
  ], "what scrolls by keyboard has a name of its own");
  for (const folded of page.querySelectorAll("details")) {
    assert.ok(folded.querySelector("summary").textContent.length > 0);
  }
  const ids = [...page.querySelectorAll("[id]")].map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "ids are unique");
  for (const link of page.querySelectorAll("nav a")) {
    assert.ok(page.getElementById(link.getAttribute("href").slice(1)), link.getAttribute("href"));
  }
});

test("the colours of a report have the contrast of WCAG AA in both themes", async () => {
  const styles = await Deno.readTextFile(repositoryPath("src/results/theme.css"));
  const rules = [...styles.matchAll(/--([a-z]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g)];
  assert.equal(rules.length, 6);
  for (
    const theme of [2, 3].map((i) => Object.fromEntries(rules.map((rule) => [rule[1], rule[i]])))
  ) {
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
  const recalled = (model: string) =>
    ["128-256", "256-512", ">4096"].map((distance, i) =>
      metric({
        evaluation: "recall-test",
        model,
        name: `recall far ${distance}`,
        value: 0.9 - i / 10,
        ci95: [0.5, 0.95],
        n: i === 2 ? 3 : 100,
        higherIsBetter: true,
      })
    );
  const { figures } = report([run({ summary: { metrics: recalled("longmem") } })]);
  assert.deepEqual(figures.map(({ name }) => name), ["recall-test-distance"]);
  // 181 and 362 are the middles; the third distance has too few questions.
  assert.match(figures[0].svg, /longmem: 0\.900 at 181, 0\.800 at 362\./);
  assert.doesNotMatch(figures[0].svg, /0\.700/);
  assert.match(figures[0].svg, />128-256</, "the axis names ranges, not their middles");
  assert.deepEqual(report([run({ summary: { metrics: [metric({})] } })]).figures, []);
});

test("experimentReport() draws what is gained by distance, without what has none, and names as many ranges as fit", () => {
  const buckets = ["<16", ...Array.from({ length: 8 }, (_, i) => `${16 * 2 ** i}-${32 * 2 ** i}`)];
  const gains = [...buckets, "never"].map((bucket, i) =>
    metric({
      evaluation: "token-loss-test",
      model: "longmem",
      name: `gain at token distance ${bucket} over backbone`,
      measure: "gain",
      at: { "token distance": bucket },
      over: "backbone",
      unit: "nats/token",
      value: i - 3,
      higherIsBetter: true,
    })
  );
  const declaration = { evaluations: [{ name: "token-loss-test", kind: "token-loss" }] };
  const runs = [run({ declaration, summary: { metrics: gains } })];
  const [{ tables, ...all }] = tablesOf(runs, metricCatalog);
  const [{ name, svg }] = reportFigures({ ...all, tables });
  assert.equal(name, "token-loss-test-gain-tokenDistance");
  assert.match(svg, /longmem: -3\.00 at 11, 5\.00 at 2896\./);
  assert.equal(svg.match(/<circle/g)!.length, buckets.length, "never is no distance");
  for (const [i, bucket] of buckets.entries()) {
    assert.equal(svg.includes(`>${bucket.replace("<", "&lt;")}<`), i % 2 === 0, bucket);
  }
});

/** Runs of a sweep of one field, of the metrics of each value. */
function sweptRuns<T>(
  field: string,
  values: readonly T[],
  metrics: (value: T) => readonly Metric[],
) {
  return values.map((value) =>
    run({
      declaration: { swept: value },
      summary: { run: `${value}`, variation: { [field]: value }, metrics: metrics(value) },
    })
  );
}

/** An accuracy of in-context learning. */
function learned(model: string, name: string, value: number): Metric {
  return metric({
    ...{ evaluation: "in-context-learning", model, name, value, higherIsBetter: true },
    ...{ stderr: 0.02, ci95: [value - 0.04, value + 0.04], n: 600 },
  });
}

test("experimentReport() draws the average of tasks by demonstrations in memory, 0 among them", () => {
  const runs = sweptRuns("evaluations.0.source.memoryDemonstrations", [0, 20, 200], (count) => [
    learned("backbone", "accuracy sst-2", 0.9),
    learned("backbone", "accuracy average", 0.5),
    learned("longmem", "accuracy average", 0.5 + count / 1000),
  ]);
  const [figure, ...others] = report(runs).figures;
  assert.deepEqual([figure.name, others], ["in-context-learning-memoryDemonstrations", []]);
  assert.match(figure.svg, /longmem: 0\.500 at 0, 0\.700 at 200; backbone: 0\.500 at 0/);
  assert.match(figure.svg, />demonstrations in memory</);
  assert.match(figure.svg, /error bars: 95 %/);
  const { document } = parseHTML(figure.svg) as unknown as {
    document: {
      querySelectorAll: (selector: string) => Iterable<{ getAttribute(name: string): string }>;
    };
  };
  const [zero, twenty, most] = [...document.querySelectorAll('g[aria-label="dot"] circle')]
    .map((mark) => Number(mark.getAttribute("cx")));
  assert.ok(twenty - zero > (most - zero) / 5, "20 of 200 is more than a tenth of the way");
});

test("experimentReport() draws speed and memory by length, a line for each model", () => {
  const metrics = ["backbone", "longmem"].flatMap((model) =>
    [512, 4096].flatMap((length) => [
      metric({
        ...{ evaluation: "efficiency", model, name: `speed ${length}`, value: 9e6 / length },
        ...{ unit: "tokens/s", ci95: [8e6 / length, 9.5e6 / length], n: 9 },
      }),
      metric({
        ...{ evaluation: "efficiency", model, name: `peak memory ${length}`, value: length / 4 },
        ...{ unit: "MiB", n: 1 },
      }),
    ])
  );
  const { figures } = report([run({ summary: { metrics } })]);
  assert.deepEqual(figures.map(({ name }) => name), [
    "efficiency-speed",
    "efficiency-peak-memory",
  ]);
  const [speed, memory] = figures.map(({ svg }) => svg);
  assert.match(speed, /longmem: 1\.76e\+4 at 512, 2\.20e\+3 at 4096; backbone: /);
  assert.match(speed, />speed \(tokens\/s\)<[^]*error bars|error bars[^]*>speed \(tokens\/s\)</);
  assert.match(memory, />peak memory \(MiB\)</);
  assert.match(memory, />context in sight \(tokens\)</);
});

test("experimentReport() draws a sweep of two fields in figures that tell all of its settings apart", () => {
  const sizes = [16, 32, 64, 128], chunks = [2, 4];
  const runs = sizes.flatMap((size) =>
    chunks.map((chunk) =>
      run({
        declaration: { size, chunk },
        summary: {
          run: `${size}-${chunk}`,
          variation: { "memory.capacityTokens": size, "memory.chunkTokens": chunk },
          metrics: ["128-256", "256-512"].map((distance) =>
            metric({
              ...{ evaluation: "recall-test", model: "longmem", name: `recall far ${distance}` },
              ...{ value: size / 128 / chunk, n: 100, ci95: [0.001, 0.999] },
            })
          ),
        },
      })
    )
  );
  const drawn = (runs: ReturnType<typeof sweep>) =>
    report(runs).figures.filter(({ name }) => name.includes("distance")).map(({ name, svg }) => [
      name,
      /<title[^>]*>([^<]*)</.exec(svg)![1],
      /<desc[^>]*>([^<]*)</.exec(svg)![1].match(/(?<=^|; )[^:;]+(?=:)/g)!.join("; "),
    ]);
  const title = "recall-test: recall of far facts by distance";
  // Eight settings are more than a figure tells apart: a figure for each chunk length, which has fewer values.
  assert.deepEqual(
    drawn(runs),
    chunks.map((chunk) => [
      `recall-test-distance-chunk-length-${chunk}`,
      `${title}, chunk length ${chunk}`,
      "16; 32; 64; 128",
    ]),
  );
  for (const { svg } of report(runs).figures) assert.doesNotMatch(svg, /not shown/);
  // Six are labelled by both fields.
  assert.deepEqual(drawn(runs.slice(2)), [[
    "recall-test-distance",
    title,
    "32, 2; 32, 4; 64, 2; 64, 4; 128, 2; 128, 4",
  ]]);
});

test("experimentReport() draws a sweep's distances in one figure, and a sweep of names as dots", () => {
  const recalls = (model: string, value: number) => [
    metric({ evaluation: "recall-test", model, name: "recall all far", value, n: 100 }),
    ...["128-256", "256-512"].map((distance) =>
      metric({ evaluation: "recall-test", model, name: `recall far ${distance}`, value, n: 100 })
    ),
  ];
  const sizes = [1, 2, 4, 8, 16, 32, 64, 128];
  const { figures } = report(
    sweptRuns("memory.capacityTokens", sizes, (size) => [
      ...recalls("backbone", 0.1),
      ...recalls("longmem", size / 128),
    ]),
  );
  assert.deepEqual(figures.map(({ name }) => name), [
    "recall-test-capacityTokens",
    "recall-test-distance",
  ]);
  const [, distance] = figures.map(({ svg }) => svg);
  // Six of eight, the ends among them; of LongMem alone.
  assert.match(distance, /longmem; 2 more are not shown/);
  const described = /<desc[^>]*>([^<]*)</.exec(distance)![1];
  assert.deepEqual(described.match(/(?<=^|; )[^:;]+(?=:)/g), ["1", "2", "8", "16", "64", "128"]);
  assert.match(distance, />1: 0\.00781 at 181.*; 2: 0\.0156 at 181/);
  const single = sweptRuns(
    "memory.capacityTokens",
    [1, 2],
    (size) => size === 1 ? recalls("longmem", 0.5).slice(0, 1) : [],
  );
  assert.deepEqual(report(single).figures, [], "one value is no sweep");
  const [dots, ...others] = report(
    sweptRuns(
      "sidenet.initialization",
      ["paper", "random"],
      () => recalls("longmem", 0.5).slice(0, 1),
    ),
  ).figures;
  assert.deepEqual([dots.name, others], ["recall-test-initialization", []]);
  assert.match(dots.svg, /longmem: paper 0\.5000, random 0\.5000\./);
});

test("experimentReport() draws no field whose values follow from another's, and each of a grid for one model", () => {
  const of = (settings: readonly (readonly [number, number])[]) =>
    report(settings.map(([a, b]) =>
      run({
        declaration: { a, b },
        summary: {
          run: `${a} ${b}`,
          variation: { "memory.chunkTokens": a, "memory.capacityTokens": b },
          metrics: [metric({}), metric({ model: "longmem", value: 21 })],
        },
      })
    )).figures;
  assert.deepEqual(of([[2, 64], [4, 128]]).map(({ name }) => name), [
    "perplexity-test-chunkTokens",
  ]);
  const grid = of([[2, 64], [4, 64], [2, 128], [4, 128]]);
  assert.deepEqual(grid.map(({ name }) => name), [
    "perplexity-test-chunkTokens",
    "perplexity-test-capacityTokens",
  ]);
  assert.match(grid[0].svg, />memory size<[^]*>64<[^]*>128</);
  assert.doesNotMatch(grid[0].svg, />backbone</);
  assert.match(grid[0].svg, />64: 21\.0 at 2, 21\.0 at 4; 128: /);
});

test("runs that share a training have one curve, others are named by what tells them apart", () => {
  const curves = (runs: Parameters<typeof report>[0]) =>
    report(runs).figures.find(({ name }) => name === "training-longmem")!.svg;
  const untrained = run({ summary: { experiment: "sizes" } });
  assert.match(curves([...sweep(), untrained]), /<desc[^>]*>train: /);
  const seeds = [1, 2].map((seed) =>
    run({
      declaration: { seed },
      training: training.map((record) => ({ ...record, loss: record.loss + seed })),
      summary: { run: `m4096-c4-k64-seed${seed}-0a1b2c3d` },
    })
  );
  assert.match(curves(seeds), /<desc[^>]*>seed 1, train: .*; seed 2, train: /);
  const many = Array.from({ length: 8 }, (_, i) => ({ ...seeds[0], declaration: { seed: i } }))
    .map((run, i) => ({ ...run, training: training.map((record) => ({ ...record, loss: i })) }));
  assert.match(curves(many), /loss of the train split; .*; 2 more are not shown/);
});

test("adaptations of one backbone share a figure, trainings that differ between runs have their own", () => {
  const phases = ["backbone", "longmem", "sidenet-without-memory"];
  const trainedBy = (loss: number) =>
    phases.flatMap((phase, i) =>
      training.map((record) => ({ ...record, phase, loss: record.loss + loss + i }))
    );
  const figuresOf = (runs: Parameters<typeof report>[0]) =>
    report(runs).figures.filter(({ name }) => name.startsWith("training-"));
  const [backbone, adaptations, ...others] = figuresOf([run({ training: trainedBy(0) })]);
  assert.deepEqual([backbone.name, adaptations.name, others], [
    "training-backbone",
    "training-adaptations",
    [],
  ]);
  assert.match(
    adaptations.svg,
    /<desc[^>]*>longmem, train: .*; sidenet-without-memory, train: /,
  );
  const seeds = [1, 2].map((seed) =>
    run({
      declaration: { seed },
      training: trainedBy(seed),
      summary: { run: `m4096-c4-k64-seed${seed}-0a1b2c3d` },
    })
  );
  const [overlaid, ...own] = figuresOf(seeds);
  assert.deepEqual(own.map(({ name }) => name), phases.map((phase) => `training-${phase}`));
  assert.equal(overlaid.name, "training-adaptations");
  assert.match(overlaid.svg, />means of 2 seeds; each point/);
  // Losses fall from 5 to 3.02, and are 1 and 2 larger by seed, 1 and 2 by model: means of the first four and the last steps.
  assert.match(
    overlaid.svg,
    /<desc[^>]*>longmem, train: 7\.47 at 3, 5\.55 at 99; sidenet-without-memory, train: 8\.47 at 3, 6\.55 at 99\./,
  );
  const varied = seeds.map((one, i) => ({
    ...one,
    declaration: { seed: 1, memory: { chunkTokens: 2 + 2 * i } },
    summary: { ...one.summary, variation: { "memory.chunkTokens": 2 + 2 * i } },
  }));
  assert.deepEqual(
    figuresOf(varied).map(({ name }) => name),
    phases.map((phase) => `training-${phase}`),
    "settings of a sweep are not one model",
  );
});

test("learning rate, gradient norm and speed are figures, in which equal curves are one", () => {
  const measured = (seed: number) =>
    run({
      declaration: { seed },
      training: training.map((record) => ({
        ...record,
        loss: record.loss + seed,
        learningRate: record.step / 1000,
        ...(record.step % 2 === 0 && { gradientNorm: seed }),
        timing: { tokensPerSecond: 1000 * seed, elapsedMs: record.step },
      })),
      summary: { run: `m4096-c4-k64-seed${seed}-0a1b2c3d` },
    });
  const figuresOf = (runs: Parameters<typeof report>[0]) =>
    new Map(report(runs).figures.map(({ name, svg }) => [name, svg]));
  const both = figuresOf([measured(1), measured(2)]);
  const described = (name: string) => /<desc[^>]*>([^<]*)</.exec(both.get(name)!)![1];
  // The first of 25 points is the mean of steps 1 to 4, the last that of 97 to 100.
  assert.equal(
    described("training-longmem-learning-rate"),
    "seed 1; seed 2: 0.00250 at 3, 0.0985 at 99.",
  );
  assert.match(both.get("training-longmem-learning-rate")!, />the same of all; /);
  // Of 50 records, every second step, two are a point.
  assert.equal(
    described("training-longmem-gradient-norm"),
    "seed 1: 1.00 at 3, 1.00 at 99; seed 2: 2.00 at 3, 2.00 at 99.",
  );
  assert.match(
    described("training-longmem-speed"),
    /^seed 1: 1\.00e\+3 at 3, .*; seed 2: 2\.00e\+3/,
  );
  const one = figuresOf([measured(1)]);
  assert.match(one.get("training-longmem-speed")!, /<desc[^>]*>1\.00e\+3 at 3/);
  const unmeasured = [...figuresOf([run({ training })]).keys()];
  assert.deepEqual(unmeasured.filter((name) => name.startsWith("training-")), [
    "training-longmem",
  ]);
});

test("a curve of the largest numbers is drawn, as far as neighbours have a mean", () => {
  const largest = training.map((record) => ({ ...record, loss: Number.MAX_VALUE }));
  const curve = report([run({ training: largest })]).figures.find(({ name }) =>
    name === "training-longmem"
  )!;
  assert.match(curve.svg, /<desc[^>]*>[^<]* at 3, [^<]* at 99/);
});

test("gates and updates of a training are figures where they are recorded", () => {
  const diagnosed = training.map((record, i) =>
    i % 10 !== 9 ? record : {
      ...record,
      diagnostics: {
        gates: [0.25 + i / 200, 0.5],
        memoryShare: 0.375,
        updateToWeight: 0.01,
        updateToWeightOfLayers: { "layers.0": 0.01 },
      },
    }
  );
  const figuresOf = (runs: Parameters<typeof report>[0]) =>
    report(runs).figures.filter(({ name }) => name.startsWith("training-"));
  const [, gates, updates] = figuresOf([run({ training: diagnosed })]);
  assert.deepEqual([gates.name, updates.name], [
    "training-longmem-gates",
    "training-longmem-updates",
  ]);
  assert.match(
    gates.svg,
    /<desc[^>]*>mean gate: 0\.397 at 10, 0\.623 at 100; smallest gate: 0\.295 at 10, 0\.500 at 100; largest gate: 0\.500 at 10, 0\.745 at 100; attention to retrieved tokens: 0\.375 at 10/,
  );
  assert.match(updates.svg, /<desc[^>]*>0\.0100 at 10, 0\.0100 at 100/);
  const seeds = [1, 2].map((seed) =>
    run({
      declaration: { seed },
      training: diagnosed.map((record) => ({ ...record, loss: record.loss + seed })),
      summary: { run: `m4096-c4-k64-seed${seed}-0a1b2c3d` },
    })
  );
  assert.match(figuresOf(seeds)[1].svg, /<desc[^>]*>seed 1: 0\.397 at 10.*; seed 2: 0\.397/);
  assert.equal(figuresOf([run({ training })]).length, 1);
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

test("experimentReport() names the runs of a sweep by what varies", () => {
  const summaries = [...documentOf(report().html).querySelectorAll("#runs > details > summary")]
    // deno-lint-ignore no-explicit-any -- see documentOf()
    .map((summary: any) => summary.textContent);
  assert.deepEqual(summaries, [
    "m64 (memory.capacityTokens=64)",
    "m256 (memory.capacityTokens=256)",
    "m16 (memory.capacityTokens=16)",
  ]);
});

test("figures of more models than can be told apart have the main one and the baseline, and say what is left out", () => {
  const speed = (model: string) =>
    [512, 1024].map((length) =>
      metric({ evaluation: "efficiency", model, name: `speed ${length}`, n: 9 })
    );
  const models = ["backbone", ..."abcdef", "longmem"];
  const [{ svg }] = report([run({ summary: { metrics: models.flatMap(speed) } })]).figures;
  const described = /<desc[^>]*>([^<]*)</.exec(svg)![1];
  assert.deepEqual(described.match(/(?<=^|; )[^:;]+(?=:)/g), ["longmem", "backbone", ..."abcd"]);
  assert.match(svg, /2 more are not shown/);
});

test("models far apart stand on a logarithmic axis, proportions never do", () => {
  const ticksOf = (name: string, values: readonly number[]) => {
    const metrics = values.map((value, i) =>
      metric({ model: `m${i}`, name, value, ci95: [value, value] })
    );
    const [{ svg }] = report([run({ summary: { metrics } })]).figures;
    const axis = documentOf(`<html>${svg}</html>`)
      .querySelector('g[aria-label="x-axis tick label"]');
    return [...axis.querySelectorAll("text")].map(({ textContent }) => Number(textContent));
  };
  const steps = (ticks: readonly number[]) => ticks.slice(1).map((tick, i) => tick / ticks[i]);
  const far = steps(ticksOf("seconds", [2, 8, 64]));
  assert.ok(far.length > 1 && new Set(far).size === 1, `factors are ${far}`);
  assert.ok(new Set(steps(ticksOf("seconds", [2, 4, 8]))).size > 1);
  assert.ok(ticksOf("accuracy", [0.01, 0.9]).includes(0));
});
