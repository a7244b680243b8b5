import { inductionScores } from "../../src/evaluation/induction.ts";
import { resolveRuns } from "../../src/experiment/resolve.ts";
import { findRunRecords, readRunRecord, type RunRecord } from "../../src/results/read_runs.ts";
import { readMetricsRecords, type RunEnvironment } from "../../src/results/records.ts";
import { type Estimate, mean, ratio, sumByCluster } from "../../src/statistics/estimates.ts";
import { readJson } from "../queue/command_line_run.ts";
import { assert, repositoryPath, test } from "../testing.ts";

const [log, readme] = await Promise.all(
  ["docs/log.md", "README.md"].map((path) => Deno.readTextFile(repositoryPath(path))),
);

test({
  name:
    "the backbone for source code that ships was made by its declaration, and has an induction head",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const [run] = await resolveRuns([repositoryPath("experiments/code/backbone.ts")]);
    const folder = repositoryPath(`results/${run.experiment.name}/${run.id}`);
    const environment: RunEnvironment = await readJson(folder, "environment.json");
    assert.equal(environment.dirty, false);
    const path = repositoryPath("data/code/backbone");
    const scores = await inductionScores(path, { device: "cpu", sequences: 4 });
    assert.equal(scores.contextTokens, 256);
    assert.equal(scores.recommendation.isInductionBlock, true);
    const { sidenet } = scores.recommendation;
    const [{ experiment }] = await resolveRuns([
      repositoryPath("experiments/code/language_modeling.ts"),
    ]);
    assert.ok(experiment.sidenet?.kind === undefined);
    assert.equal(experiment.sidenet?.memoryBlock, sidenet.memoryBlock);
  },
});

test("the log has the recorded losses of the backbone for source code", async () => {
  const [run] = await resolveRuns([repositoryPath("experiments/code/backbone.ts")]);
  const path = repositoryPath(`results/${run.experiment.name}/${run.id}`);
  const lines = (await readMetricsRecords(path)).filter(({ split }) => split === "valid");
  assert.equal(lines.length, 7);
  for (const { step, tokens, loss } of lines) {
    const cells = cellsOf(step.toLocaleString("en"));
    assert.deepEqual(cells.slice(0, 2), [(tokens / 1e6).toFixed(1), loss.toFixed(4)]);
  }
});

/** Cells of the row, by default of the log, that begins with some text. */
function cellsOf(begins: string, page: string = log): string[] {
  const rows = page.split("\n").filter((line) => line.startsWith(`| ${begins} `));
  assert.equal(rows.length, 1, `rows that begin with "${begins}"`);
  return rows[0].split("|").slice(2, -1).map((cell) => cell.trim());
}

async function recordsOf(experiment: string): Promise<readonly RunRecord[]> {
  const folder = repositoryPath(`results/${experiment}`);
  return (await findRunRecords([folder], readRunRecord)).records;
}

/** Nats a token of each package, by model. */
async function natsOf(experiment: string, evaluation: string): Promise<Map<string, number[]>> {
  const records = await recordsOf(experiment);
  assert.equal(records.length, 1);
  return packagesOf(records[0], evaluation);
}

function packagesOf({ samples }: RunRecord, evaluation: string): Map<string, number[]> {
  const byModel = Map.groupBy(samples.get(evaluation)!, ({ model }) => String(model));
  return new Map(Array.from(byModel, ([model, found]) => [
    model,
    found.toSorted((a, b) => String(a.item) < String(b.item) ? -1 : 1)
      .map(({ nats, tokens }) => Number(nats) / Number(tokens)),
  ]));
}

const signed = (value: number) => (value < 0 ? "-" : "") + Math.abs(value).toFixed(4);

/** Cells of a gain over other nats: its mean with the standard error, its interval, and the number of those that gain. */
function gainCells(
  nats: readonly number[],
  own: readonly number[],
  estimate: (gains: number[]) => Estimate = mean,
) {
  const gains = nats.map((value, i) => value - own[i]), over = estimate(gains);
  return {
    gain: `${signed(over.value)} \u00b1 ${over.stderr!.toFixed(4)}`,
    interval: `[${over.ci95!.map(signed).join(", ")}]`,
    better: `${gains.filter((nats) => nats > 0).length}`,
  };
}

for (
  const { experiment, evaluation, main, works = 26, searches, rows } of [
    {
      experiment: "code_language_modeling",
      evaluation: "perplexity-window",
      main: "longmem-window-256",
      rows: {
        "code, window: backbone": "backbone-sliding-window-256",
        "code, window: SideNet trained without a memory": "sidenet-without-memory-window-256",
        "code, window: LongMem, memory of the latest text": "longmem-recent-memory-window-256",
        "code, window: LongMem, another package's memory": "longmem-other-document-window-256",
        "code, window: LongMem": "longmem-window-256",
      },
    },
    {
      experiment: "code_seeds",
      evaluation: "perplexity-window",
      main: "longmem-window-256",
      rows: {
        "code, second seed: backbone": "backbone-sliding-window-256",
        "code, second seed: LongMem, memory of the latest text": "longmem-recent-memory-window-256",
        "code, second seed: LongMem": "longmem-window-256",
      },
    },
    {
      experiment: "code_longer",
      evaluation: "perplexity-window",
      main: "longmem-window-256",
      rows: {
        "code, longer: backbone": "backbone-sliding-window-256",
        "code, longer: SideNet trained without a memory": "sidenet-without-memory-window-256",
        "code, longer: LongMem, memory of the latest text": "longmem-recent-memory-window-256",
        "code, longer: LongMem, another package's memory": "longmem-other-document-window-256",
        "code, longer: LongMem": "longmem-window-256",
      },
    },
    {
      experiment: "latex_language_modeling",
      evaluation: "perplexity-window",
      main: "longmem-window-256",
      works: 21,
      searches: "latex_nearest_states",
      rows: {
        "LaTeX, window: backbone": "backbone-sliding-window-256",
        "LaTeX, window: SideNet trained without a memory": "sidenet-without-memory-window-256",
        "LaTeX, window: LongMem, memory of the latest text": "longmem-recent-memory-window-256",
        "LaTeX, window: LongMem, another work's memory": "longmem-other-document-window-256",
        "LaTeX, window: copy model": "copy-m8192-n2-4-w0.5-window-256",
        "LaTeX, window: kNN-LM": "knn-lm-m8192-k64-l0.25-t10-window-256",
        "LaTeX, window: LongMem": "longmem-window-256",
      },
    },
    {
      experiment: "code_memory_beyond_context",
      evaluation: "perplexity-window",
      main: "longmem-window-1024",
      rows: {
        "code, beyond 1,024: backbone": "backbone-sliding-window-1024",
        "code, beyond 1,024: SideNet trained without a memory":
          "sidenet-without-memory-window-1024",
        "code, beyond 1,024: LongMem, memory of the latest text":
          "longmem-recent-memory-window-1024",
        "code, beyond 1,024: LongMem, another package's memory":
          "longmem-other-document-window-1024",
        "code, beyond 1,024: LongMem": "longmem-window-1024",
      },
    },
    {
      experiment: "code_memory_beyond_context_seeds",
      evaluation: "perplexity-window",
      main: "longmem-window-1024",
      rows: {
        "code, beyond 1,024, second seed: backbone": "backbone-sliding-window-1024",
        "code, beyond 1,024, second seed: LongMem, memory of the latest text":
          "longmem-recent-memory-window-1024",
        "code, beyond 1,024, second seed: LongMem": "longmem-window-1024",
      },
    },
    {
      experiment: "code_segments",
      evaluation: "perplexity-test",
      main: "longmem",
      rows: {
        "code, segments: backbone": "backbone",
        "code, segments: LongMem, memory of the latest segment": "longmem-recent-memory",
        "code, segments: copy model": "copy-m8192-n2-4-w0.5",
        "code, segments: kNN-LM": "knn-lm-m8192-k64-l0.25-t10",
        "code, segments: LongMem": "longmem",
      },
    },
  ]
) {
  test(`the log's table of ${experiment} has the recorded means over works`, async () => {
    const nats = await natsOf(experiment, evaluation), own = nats.get(main)!;
    const searching = searches ? await natsOf(searches, `${evaluation}-test`) : [];
    for (const [model, found] of searching) nats.set(model, found);
    for (const [begins, model] of Object.entries(rows)) {
      const found = nats.get(model)!;
      assert.equal(found.length, works);
      const [value, gain, interval, better] = cellsOf(begins);
      assert.equal(value, mean(found).value.toFixed(4), begins);
      if (model === main) continue;
      assert.deepEqual({ gain, interval, better }, gainCells(found, own), begins);
    }
  });
}

/** Rows of the log's table of rivals: an experiment, its evaluation and model, and tokens of the training context where there are several runs. */
const rivals = {
  "code, rivals: LongMem, adapted on 3.3 M tokens": [
    "code_longer",
    "perplexity-window",
    "longmem-window-256",
  ],
  "code, rivals: copy model": [
    "code_searches",
    "perplexity-window-test",
    "copy-m8192-n2-4-w0.5-window-256",
  ],
  "code, rivals: kNN-LM": [
    "code_searches",
    "perplexity-window-test",
    "knn-lm-m8192-k64-l0.25-t10-window-256",
  ],
  ...Object.fromEntries([[256, 256], [1024, 256], [1024, 512], [1024, 1024]].map((tokens) => {
    const [context, window] = tokens.map((count) => count.toLocaleString("en"));
    return [
      `code, rivals: backbone trained further with ${context}, window of ${window}`,
      [
        "code_longer_context",
        "perplexity-window",
        `backbone-sliding-window-${tokens[1]}`,
        tokens[0],
      ],
    ];
  })),
  "code, rivals: LongMem beside the same, window of 1,024": [
    "code_memory_beyond_context",
    "perplexity-window",
    "longmem-window-1024",
  ],
} as Record<string, [experiment: string, evaluation: string, model: string, context?: number]>;

test("the log's table of rivals has the recorded gains over the backbone's window", async () => {
  const frozen = (await natsOf("code_longer", "perplexity-window"))
    .get("backbone-sliding-window-256")!;
  for (const [begins, [experiment, evaluation, model, context]] of Object.entries(rivals)) {
    const records = await recordsOf(experiment);
    const [record] = records.filter(({ summary: { variation = {} } }) =>
      context === undefined || variation["backbone.training.contextTokens"] === context
    );
    const nats = packagesOf(record, evaluation).get(model)!;
    const { gain, interval, better } = gainCells(frozen, nats);
    assert.deepEqual(cellsOf(begins), [mean(nats).value.toFixed(4), gain, interval, better]);
  }
});

test("copy model and kNN-LM have the settings that are best on the valid split", async () => {
  const shown = [
    {
      experiments: ["code_searches", "code_nearest_states"],
      models: ["copy-m8192-n2-4-w0.5", "knn-lm-m8192-k64-l0.25-t10"],
      settings: 15,
    },
    {
      experiments: ["fiction_searches", "fiction_nearest_states"],
      models: ["copy-m8192-n3-4-w0.5", "knn-lm-m8192-k64-l0.125-t10"],
      settings: 20,
    },
    {
      experiments: ["latex_nearest_states"],
      models: ["copy-m8192-n2-4-w0.5", "knn-lm-m8192-k64-l0.25-t10"],
      settings: 14,
    },
  ];
  for (const { experiments, models, settings } of shown) {
    const tried = new Map<string, number[]>();
    for (const experiment of experiments) {
      for (const [model, nats] of await natsOf(experiment, "perplexity-window-valid")) {
        tried.set(model, nats);
      }
    }
    tried.delete("backbone-sliding-window-256");
    assert.equal(tried.size, settings, experiments[0]);
    const nats = [...tried];
    for (const model of models) {
      const kind = model.slice(0, model.indexOf("-m"));
      const [[best]] = nats.filter(([name]) => name.startsWith(kind))
        .toSorted(([, a], [, b]) => mean(a).value - mean(b).value);
      assert.equal(best, `${model}-window-256`, experiments[0]);
    }
  }
});

/** Authors of the novels in the order of `packagesOf`. */
function authorsOf({ samples }: RunRecord, evaluation: string): string[] {
  return samples.get(evaluation)!
    .filter(({ model }) => model === "longmem-window-256")
    .toSorted((a, b) => String(a.item) < String(b.item) ? -1 : 1)
    .map(({ cluster }) => String(cluster));
}

/** Cells of a gain over other nats with errors over authors. */
function overAuthors(nats: readonly number[], own: readonly number[], authors: readonly string[]) {
  return gainCells(
    nats,
    own,
    (gains) => ratio(gains, gains.map(() => 1), { clusters: authors }),
  );
}

test("the log's table of seeds on novels has the recorded means over novels, with errors over authors", async () => {
  const records = await recordsOf("fiction_seeds");
  const evaluation = "perplexity-window";
  assert.equal(records.length, 2);
  const [first] = await recordsOf("fiction_language_modeling");
  const losing = [first, ...records].map((record) => {
    const natsOfNovel = (model: string) =>
      new Map(
        record.samples.get(evaluation)!.filter((sample) => sample.model === model)
          .map(({ item, nats }) => [String(item), Number(nats)]),
      );
    const frozen = natsOfNovel("backbone-sliding-window-256");
    const own = natsOfNovel("longmem-window-256");
    return new Set(
      [...own].filter(([item, nats]) => nats >= frozen.get(item)!).map(([item]) => item),
    );
  }).reduce((all, one) => all.intersection(one));
  assert.deepEqual([...losing].sort(), ["EBronte_Wuthering_1847", "Sterne_Tristram_1767"]);
  for (const record of records) {
    const { seed } = await readJson(record.path, "experiment.json");
    const nats = packagesOf(record, evaluation), own = nats.get("longmem-window-256")!;
    const authors = authorsOf(record, evaluation);
    const cells = ["backbone-sliding-window-256", "longmem-recent-memory-window-256"]
      .flatMap((model) => {
        const { gain, interval, better } = overAuthors(nats.get(model)!, own, authors);
        return [`${gain} ${interval}`, better];
      });
    assert.deepEqual(cellsOf(`novels, seed ${seed}`), [mean(own).value.toFixed(4), ...cells]);
  }
});

test("the log's table of novels has the recorded means over novels, with errors over authors", async () => {
  const records = await recordsOf("fiction_language_modeling");
  const evaluation = "perplexity-window", nats = packagesOf(records[0], evaluation);
  for (const searches of ["fiction_searches", "fiction_nearest_states"]) {
    const searching = await natsOf(searches, "perplexity-window-test");
    for (const [model, found] of searching) nats.set(model, nats.get(model) ?? found);
  }
  const own = nats.get("longmem-window-256")!;
  const authors = authorsOf(records[0], evaluation);
  assert.deepEqual([own.length, new Set(authors).size], [37, 14]);
  const rows = {
    "novels, window: backbone": "backbone-sliding-window-256",
    "novels, window: SideNet trained without a memory": "sidenet-without-memory-window-256",
    "novels, window: LongMem, memory of the latest text": "longmem-recent-memory-window-256",
    "novels, window: LongMem, another author's memory": "longmem-other-document-window-256",
    "novels, window: copy model": "copy-m8192-n3-4-w0.5-window-256",
    "novels, window: kNN-LM": "knn-lm-m8192-k64-l0.125-t10-window-256",
    "novels, window: LongMem": "longmem-window-256",
  };
  for (const [begins, model] of Object.entries(rows)) {
    const found = nats.get(model)!, cells = cellsOf(begins);
    assert.equal(cells[0], mean(found).value.toFixed(4), begins);
    if (found === own) continue;
    const { gain, interval, better } = overAuthors(found, own, authors);
    const ofAuthors = sumByCluster(found.map((value, i) => value - own[i]), authors);
    const gaining = ofAuthors.filter((nats) => nats > 0).length;
    assert.deepEqual(cells.slice(1), [gain, interval, `${gaining}`, better], begins);
  }
});

/** Runs of `code_start_seeds` by the start of their SideNet, as the log names it, seed by seed. */
async function startRuns(): Promise<Map<string, RunRecord[]>> {
  const records = await recordsOf("code_start_seeds");
  const starts = new Map<string, RunRecord[]>();
  for (const record of records) {
    const { seed, sidenet: { lastResidual, initialization } } = await readJson(
      record.path,
      "experiment.json",
    );
    const residual = lastResidual === "final-norm" ? "normed" : "raw";
    const scale = initialization.outputScale ?? 1;
    const start = scale === 1 ? "whole copies" : scale === 0 ? "silent" : `copies x ${scale}`;
    const name = `${residual}, ${start}`;
    const seeds = starts.get(name) ?? [];
    seeds[seed - 1] = record;
    starts.set(name, seeds);
  }
  return starts;
}

test("the log's table of starts has the recorded gains of three seeds over packages", async () => {
  const starts = await startRuns();
  assert.equal(starts.size, 6);
  for (const [start, records] of starts) {
    assert.equal(records.length, 3);
    const seeds = records.map((record) => packagesOf(record, "perplexity-test"));
    const over = (control: string, model: string) => {
      const gains = seeds.map((nats) => {
        const own = nats.get(model)!;
        return mean(nats.get(control)!.map((value, i) => value - own[i]));
      });
      const values = gains.map(({ value }) => value);
      const error = Math.sqrt(mean(gains.map(({ stderr }) => stderr! ** 2)).value);
      const range = [Math.min(...values), Math.max(...values)].map(signed).join(" to ");
      return `${signed(mean(values).value)} \u00b1 ${error.toFixed(4)} (${range})`;
    };
    assert.deepEqual(cellsOf(`code, start: ${start}`), [
      over("backbone", "longmem"),
      over("backbone", "sidenet-without-memory"),
      over("sidenet-without-memory", "longmem"),
      over("longmem-recent-memory", "longmem"),
    ]);
  }
});

test("what the log says of all starts holds for each of three seeds", async () => {
  const starts = await startRuns();
  for (const seed of [0, 1, 2]) {
    const gainsOf = (start: string, control: string, model: string) => {
      const nats = packagesOf(starts.get(start)![seed], "perplexity-test"), own = nats.get(model)!;
      return nats.get(control)!.map((value, i) => value - own[i]);
    };
    const average = (...gain: Parameters<typeof gainsOf>) => mean(gainsOf(...gain)).value;
    const silent = gainsOf("raw, silent", "backbone", "longmem");
    assert.ok(silent.filter((gain) => gain > 0).length <= 2);
    const others = [...starts.keys()].filter((start) => start !== "raw, whole copies");
    const best = average("raw, whole copies", "backbone", "longmem");
    assert.ok(others.every((start) => average(start, "backbone", "longmem") < best));
    for (const control of ["sidenet-without-memory", "longmem-recent-memory"]) {
      const worth = (residual: string) =>
        ["silent", "copies x 0.25", "whole copies"]
          .map((scale) => average(`${residual}, ${scale}`, control, "longmem"));
      const raw = worth("raw"), normed = worth("normed");
      assert.deepEqual(raw, raw.toSorted((a, b) => a - b));
      assert.deepEqual(normed, normed.toSorted((a, b) => a - b));
      assert.ok(normed.every((gain, i) => gain > 1.7 * raw[i]));
    }
    for (const start of starts.keys()) {
      if (start.startsWith("normed")) assert.ok(average(start, "backbone", "longmem") < 0, start);
      const tax = gainsOf(start, "backbone", "sidenet-without-memory");
      assert.ok(tax.every((gain) => gain < 0), start);
      const regained = gainsOf(start, "sidenet-without-memory", "longmem");
      assert.ok(regained.every((gain) => gain > 0), start);
    }
  }
  const text = log.replaceAll(/\s+/g, " ");
  const seeds = (start: string) =>
    starts.get(start)!.map((record) => {
      const nats = packagesOf(record, "perplexity-test");
      return nats.get("backbone")!.map((value, i) => value - nats.get("longmem")![i]);
    });
  const whole = seeds("raw, whole copies").map((gains) => gains.filter((gain) => gain > 0).length);
  assert.ok(text.includes(`on ${Math.min(...whole)} to ${Math.max(...whole)} packages`));
  const [first, second, third] = seeds("raw, copies x 0.25")
    .map((gains) => Math.abs(mean(gains).value).toFixed(4));
  assert.ok(text.includes(`gained ${first} over the backbone with seed 1`), first);
  assert.ok(text.includes(`loses ${second} and ${third} with the others`), `${second} ${third}`);
});

test("seed 1 of code_start_seeds has the numbers that code_start recorded", async () => {
  const again = new Map(
    [...await startRuns()].map(([, [{ summary, samples }]]) => [
      JSON.stringify(Object.entries(summary.variation!).filter(([field]) => field !== "seed")),
      samples.get("perplexity-test")!,
    ]),
  );
  const records = await recordsOf("code_start");
  assert.equal(records.length, 6);
  for (const { summary, samples } of records) {
    const before = samples.get("perplexity-test")!;
    const models = new Set(before.map(({ model }) => model));
    const same = again.get(JSON.stringify(Object.entries(summary.variation!)))!
      .filter(({ model }) => models.has(model));
    assert.deepEqual(same.map(({ nats }) => nats), before.map(({ nats }) => nats));
  }
});

test("the log's table of code_positions has the recorded gains over packages", async () => {
  const records = await recordsOf("code_positions");
  const runs = new Map<string, Map<string, number[]>>();
  for (const record of records) {
    const { memory: { positions } } = await readJson(record.path, "experiment.json");
    const tokens = positions?.tokens;
    const where = tokens === undefined
      ? "nowhere"
      : `${tokens} token${tokens > 1 ? "s" : ""} before`;
    runs.set(where, packagesOf(record, "perplexity-test"));
  }
  assert.equal(runs.size, 5);
  const best = runs.get("64 tokens before")!.get("longmem")!;
  for (const [where, nats] of runs) {
    const own = nats.get("longmem")!;
    const cells = ["backbone", "longmem-recent-memory"].flatMap((model) => {
      const { gain, better } = gainCells(nats.get(model)!, own);
      return [gain, better];
    });
    const { gain, interval, better } = gainCells(own, best);
    const over = own === best ? ["", "", ""] : [gain, interval, better];
    assert.deepEqual(cellsOf(`code, positions: ${where}`), [...cells, ...over]);
  }
});

test("README's table of real texts has the recorded gains over the window and the latest text", async () => {
  const short = (value: number) => value.toFixed(3);
  const texts = [
    ["LaTeX, 256", "latex_language_modeling", 256],
    ["source code, 256", "code_longer", 256],
    ["source code, 1,024", "code_memory_beyond_context", 1024],
    ["novels, 256", "fiction_language_modeling", 256],
  ] as const;
  for (const [begins, experiment, window] of texts) {
    const records = await recordsOf(experiment);
    const evaluation = "perplexity-window", nats = packagesOf(records[0], evaluation);
    const model = `longmem-window-${window}`, own = nats.get(model)!;
    const clusters = records[0].samples.get(evaluation)!.filter((record) => record.model === model)
      .toSorted((a, b) => String(a.item) < String(b.item) ? -1 : 1)
      .map(({ cluster, item }) => String(cluster ?? item));
    const cells = [
      `backbone-sliding-window-${window}`,
      `longmem-recent-memory-window-${window}`,
    ].map((control) => {
      const gains = nats.get(control)!.map((value, i) => value - own[i]);
      const { value, ci95 } = ratio(gains, gains.map(() => 1), { clusters });
      return `${short(value)} [${ci95!.map(short).join(", ")}]`;
    });
    const better = nats.get(`backbone-sliding-window-${window}`)!
      .filter((value, i) => value > own[i]).length;
    const { adaptation } = await readJson(records[0].path, "experiment.json");
    const tokens = adaptation.steps * adaptation.batchSize * adaptation.contextTokens;
    assert.deepEqual(cellsOf(begins, readme).slice(0, -1), [
      `${(tokens / 1e6).toFixed(1)} M tokens`,
      ...cells,
      `${better} of ${own.length}`,
    ]);
  }
});

test("README's gains of kNN-LM over the window are the recorded ones", async () => {
  const records = {
    "LaTeX, 256": ["latex_nearest_states", "l0.25"],
    "source code, 256": ["code_searches", "l0.25"],
    "novels, 256": ["fiction_nearest_states", "l0.125"],
  };
  for (const [begins, [experiment, share]] of Object.entries(records)) {
    const nats = await natsOf(experiment, "perplexity-window-test");
    const [frozen, searching] = [
      "backbone-sliding-window-256",
      `knn-lm-m8192-k64-${share}-t10-window-256`,
    ].map((model) => mean(nats.get(model)!).value);
    assert.equal(cellsOf(begins, readme).at(-1), (frozen - searching).toFixed(3), begins);
  }
});

test("the log's table of learning rates has the recorded gains over packages", async () => {
  const records = await recordsOf("code_memorizing_transformer");
  assert.equal(records.length, 5);
  const best = new Map<string, { valid: number; test: readonly number[] }>();
  for (const record of records) {
    const { adaptation: { learningRate } } = await readJson(record.path, "experiment.json");
    const cells: string[] = [];
    for (const model of ["memorizing-transformer-window-256", "longmem-window-256"]) {
      const nats = ["valid", "test"].map((split) => {
        const of = packagesOf(record, `perplexity-window-${split}`);
        const own = of.get(model)!;
        cells.push(gainCells(of.get("backbone-sliding-window-256")!, own).gain);
        return own;
      });
      const valid = mean(nats[0]).value;
      if (valid < (best.get(model)?.valid ?? Infinity)) best.set(model, { valid, test: nats[1] });
    }
    assert.deepEqual(cellsOf(`code, learning rate ${learningRate}`), cells);
  }
  const [memorizing, longMem] = ["memorizing-transformer-window-256", "longmem-window-256"]
    .map((model) => best.get(model)!.test);
  const { gain, interval, better } = gainCells(memorizing, longMem);
  const text = log.replaceAll(/\s+/g, " ");
  assert.ok(
    text.includes(`${gain} nats ${interval} over it, on ${better} of 26`),
    `${gain} ${interval} ${better}`,
  );
});

test("the log's table of sizes has the recorded losses and gains over packages", async () => {
  const records = await recordsOf("code_sizes");
  const sizes = { smaller: "0.64", backbone: "1.05", larger: "2.16" };
  assert.equal(records.length, 3);
  for (const record of records) {
    const { backbone: { path } } = await readJson(record.path, "experiment.json");
    const nats = packagesOf(record, "perplexity-window"), own = nats.get("longmem-window-256")!;
    const over = (model: string) => {
      const { gain, interval } = gainCells(nats.get(model)!, own);
      return `${gain} ${interval}`;
    };
    const size = sizes[path.split("/").at(-1) as keyof typeof sizes];
    assert.deepEqual(cellsOf(`code, size ${size} million`).slice(1), [
      mean(nats.get("backbone-sliding-window-256")!).value.toFixed(4),
      over("backbone-sliding-window-256"),
      over("longmem-recent-memory-window-256"),
    ]);
  }
});

for (
  const [text, experiment] of [["LaTeX", "latex_seeds"], ["code, longer", "code_longer_seeds"]]
) {
  test(`the log's table of ${experiment} has the recorded means over works`, async () => {
    const records = await recordsOf(experiment);
    assert.equal(records.length, 2);
    for (const record of records) {
      const { seed } = await readJson(record.path, "experiment.json");
      const nats = packagesOf(record, "perplexity-window"), own = nats.get("longmem-window-256")!;
      const cells = ["backbone-sliding-window-256", "longmem-recent-memory-window-256"]
        .flatMap((model) => {
          const { gain, interval, better } = gainCells(nats.get(model)!, own);
          return [`${gain} ${interval}`, better];
        });
      assert.deepEqual(cellsOf(`${text}, seed ${seed}`), [mean(own).value.toFixed(4), ...cells]);
    }
  });
}

test("the log has the last valid losses of backbones without an induction head", async () => {
  const text = log.replaceAll(/\s+/g, " ");
  const losses: string[] = [];
  const names = [
    "backbone_seeds",
    "smaller_backbone",
    "larger_backbone",
    "smaller_backbone_longer",
  ];
  for (const name of names) {
    const records = await recordsOf(`code_${name}`);
    const last = (await readMetricsRecords(records[0].path))
      .findLast(({ split }) => split === "valid")!;
    losses.push(last.loss.toFixed(3));
  }
  const [seed, smaller, larger, longer] = losses;
  assert.ok(text.includes(`the valid loss is ${seed} in place of 2.327`), seed);
  assert.ok(text.includes(`and the loss is ${smaller} and ${larger}`), `${smaller} ${larger}`);
  assert.ok(text.includes(`ends with a loss of ${longer}`), longer);
  const records = await recordsOf("code_head_seeds");
  const seeds = await Promise.all(
    records.toSorted((a, b) =>
      Number(a.summary.variation!.seed) - Number(b.summary.variation!.seed)
    )
      .map(async ({ path }) =>
        (await readMetricsRecords(path)).findLast(({ split }) => split === "valid")!.loss.toFixed(3)
      ),
  );
  const [second, third, fourth] = seeds;
  assert.ok(text.includes(`losses of ${second}, ${third} and ${fourth})`), `${seeds}`);
});

/** Estimates of a recorded experiment of one run, by model and metric. */
async function metricsOf(experiment: string) {
  const records = await recordsOf(experiment);
  assert.equal(records.length, 1);
  return (model: string, name: string) =>
    records[0].summary.metrics.find((metric) => metric.model === model && metric.name === name)!;
}

/** A number without its sign, and its error: the log says in words which of them are losses. */
const withError = ({ value, stderr }: Pick<Estimate, "value" | "stderr">, scale = 1, digits = 3) =>
  `${Math.abs(scale * value).toFixed(digits)} \u00b1 ${(scale * stderr!).toFixed(digits)}`;

test("the log has the recorded gains by distance, the retrieval, and losses of longer windows", async () => {
  const text = log.replaceAll(/\s+/g, " ");
  const instruments = await metricsOf("code_instruments");
  const gain = (where: string) =>
    instruments("longmem-window-256", `gain at ${where} over backbone-sliding-window-256`);
  const bigram = (distance: string) => withError(gain(`bigram distance ${distance}`));
  const late = ["1024-2048", "2048-4096", "4096-8192"]
    .map((where) => gain(`position ${where}`).value);
  assert.ok(
    ["<16", "16-32", "32-64", "64-128", "128-256", "256-512"]
      .every((where) => gain(`position ${where}`).value < 0),
  );
  const retrieved = (name: string) => withError(instruments("longmem", name), 100, 1);
  const windows = await metricsOf("code_windows");
  const loss = (model: string) =>
    withError(windows(model, "mean gain over backbone-sliding-window-256"));
  for (
    const sentence of [
      `256 to 512 tokens ago gain ${bigram("256-512")}, 512 to 1,024 ago ${bigram("512-1024")}, ` +
      `1,024 to 2,048 ago ${bigram("1024-2048")}, 2,048 to 4,096 ago ${bigram("2048-4096")}; ` +
      `pairs never seen before lose ${bigram("never")} and pairs seen within 16 tokens ${
        bigram("<16")
      }`,
      `gains ${Math.min(...late).toFixed(3)} to ${
        Math.max(...late).toFixed(3)
      } from the 1,024th on`,
      `(${retrieved("in memory after 2")} % of targets)`,
      `retrieves it in ${retrieved("retrieved by head 0 after 2")} % of cases, against ${
        retrieved("random chunks, one head after 2")
      } % for as many`,
      `it loses ${loss("backbone-sliding-window-512")} nats in a window of 512 and ${
        loss("backbone-sliding-window-1024")
      } in one of 1,024`,
      `switched off loses ${loss("longmem-memory-off-window-256")}`,
    ]
  ) assert.ok(text.includes(sentence), sentence);
});
