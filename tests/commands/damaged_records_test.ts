import { dirname, join } from "node:path";
import { reportCommand } from "../../src/commands/report.ts";
import { tableCommand } from "../../src/commands/table.ts";
import { Random } from "../../src/random.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { smallEnvironment } from "../results/small_environment.ts";
import { execute, recordedOutput } from "./recorded_output.ts";

const models = ["backbone", "longmem"];

/** What every metric of the small runs has. */
const common = {
  stderr: 0.05,
  ci95: [0.1, 0.9],
  n: 8,
  unit: "",
  higherIsBetter: true,
  metricVersion: 1,
};

/** Scored items of each kind of evaluation, and one metric that is computed from them. */
const evaluations: Readonly<
  Record<string, {
    readonly metric: string;
    readonly items: (i: number, model: string) => Record<string, unknown>;
    readonly value: (model: string) => number;
  }>
> = {
  perplexity: {
    metric: "perplexity",
    items: (i, model) => ({
      ...{ bucket: "<5K", gpt2Tokens: 100, tokens: 100, words: 80 },
      nats: model === "longmem" ? 200 + i : 220 + i,
    }),
    value: (model) => Math.exp((model === "longmem" ? 203.5 : 223.5) / 100),
  },
  recall: {
    metric: "recall all far",
    items: (_, model) => ({
      ...{ contextTokens: 16, tokens: 100, words: 80, nats: 200, kinds: "ship person" },
      ...{ positions: [50, 90], distances: [40, 30], answers: [7, 8] },
      choices: model === "longmem" ? [7, 8] : [7, 9],
    }),
    value: (model) => model === "longmem" ? 1 : 0.5,
  },
  "chapter-break": {
    metric: "accuracy 64",
    items: (i, model) => ({
      ...{ work: `book_${i}`, prefixTokens: 64, readTokens: 48, localTokens: 16 },
      ...{ scoredTokens: [2, 2], scores: [-1, -2], rank: model === "longmem" ? 1 : 2 },
      correct: model === "longmem",
    }),
    value: (model) => Number(model === "longmem"),
  },
  "in-context-learning": {
    metric: "accuracy",
    items: (i, model) => ({
      ...{ task: "reviews", seed: 1 + i % 2, label: "odd", prediction: "odd", token: 5, nats: 2 },
      correct: model === "longmem",
    }),
    value: (model) => Number(model === "longmem"),
  },
  squad: {
    metric: "F1",
    items: (i, model) => ({
      ...{ task: "squad", seed: 1 + i % 2, prediction: "a", shots: 2, exactMatch: true },
      f1: model === "longmem" ? 0.75 : 0.25,
    }),
    value: (model) => model === "longmem" ? 0.75 : 0.25,
  },
  needle: {
    metric: "accuracy",
    items: (_, model) => ({
      ...{ needles: 2, distances: [10, 20], nats: [1, 2], ranks: [1, 3] },
      ...{ retrieved: [1, 0], headShares: [0.5, 0], correct: [1, Number(model === "longmem")] },
    }),
    value: (model) => model === "longmem" ? 1 : 0.5,
  },
};

/** The files of a small run that is completed, with evaluations of some kinds. */
function filesOf(
  experiment: string,
  run: string,
  kinds: readonly string[] = Object.keys(evaluations),
): Record<string, string> {
  const evaluated = Object.entries(evaluations).filter(([kind]) => kinds.includes(kind));
  const metrics = evaluated.flatMap(([evaluation, { metric: name, value }]) =>
    models.map((model) => ({ ...common, evaluation, model, name, value: value(model) }))
  );
  const lines = (records: readonly unknown[]) =>
    records.map((record) => `${JSON.stringify(record)}\n`).join("");
  return {
    "summary.json": JSON.stringify({
      ...{ state: "completed", experiment, run, question: "Is it read?", scale: "scaled-down" },
      ...{ variation: { "memory.capacityTokens": run === "broken" ? 64 : 128 }, metrics },
    }),
    "experiment.json": JSON.stringify({
      ...{ name: experiment, seed: 1, corpus: { kind: "none", seed: 1 } },
      memory: { capacityTokens: run === "broken" ? 64 : 128 },
      evaluations: kinds.map((kind) => ({ kind, name: kind, models })),
      reproduces: {
        table: "table-5",
        rows: [{ row: "GPT-2*", model: "backbone" }],
        columns: [{ column: "F1", metric: "F1" }],
      },
    }),
    "environment.json": JSON.stringify({
      ...smallEnvironment,
      ...{ commit: "abc", dirty: false, declarationFile: "x.ts", device: "cpu", wallSeconds: 3 },
      ...{ peakMemoryBytes: 5e8, packages: { zod: "4" }, hashes: { backbone: "00" } },
      earlier: [{ ...smallEnvironment, declarationFile: "x.ts" }],
    }),
    "metrics.jsonl": lines([1, 2, 3].map((step) => ({
      ...{ phase: "longmem", step, split: "train", tokens: 64 * step, loss: 3 / step },
      ...{ learningRate: 0.1, gradientNorm: 1, memoryTokens: 8 },
      timing: { tokensPerSecond: 9, elapsedMs: 5 },
    }))),
    ...Object.fromEntries(
      evaluated.map(([evaluation, { items }]) => [
        `samples/${evaluation}.jsonl`,
        lines(
          models.flatMap((model) =>
            Array.from({ length: 8 }, (_, i) => ({ model, item: `item ${i}`, ...items(i, model) }))
          ),
        ),
      ]),
    ),
  };
}

async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
    await Deno.writeTextFile(join(folder, name), text);
  }
}

/** Does something with results of two experiments, one of which has a run that is to be damaged beside a sound one. */
async function withResults(
  use: (results: string, broken: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (results) => {
    await writeFiles(join(results, "sound/whole"), filesOf("sound", "whole", ["recall"]));
    await writeFiles(join(results, "mixed/whole"), filesOf("mixed", "whole"));
    await writeFiles(join(results, "mixed/broken"), filesOf("mixed", "broken"));
    await use(results, join(results, "mixed/broken"));
  });
}

/** What is printed and noted of results by tables of two formats and by a report. */
async function shown(results: string) {
  const texts: string[] = [], codes: number[] = [], notes: string[] = [];
  for (
    const [command, ...args] of [
      [tableCommand, "--format", "md"],
      [tableCommand, "--format", "csv"],
      [reportCommand],
    ] as const
  ) {
    const output = recordedOutput();
    codes.push(await execute(command(output), results, ...args));
    texts.push(output.printed.join("\n"));
    notes.push(...output.notes);
  }
  const page = await Deno.readTextFile(join(results, "mixed/report.html"));
  return { texts, codes, notes, page };
}

/**
 * Asserts that a damage is either harmless or named, and never hides other runs.
 *
 * @returns Whether it was named.
 */
async function attempt(results: string, what: string, file: string): Promise<boolean> {
  const { texts, codes, notes, page } = await shown(results).catch((error) => {
    throw new Error(`${what} ends the command`, { cause: error });
  });
  const [table, csv, report] = texts;
  assert.match(table, /^## sound/m, what);
  assert.match(table, /^## mixed/m, what);
  assert.match(csv, /^mixed,scaled-down,whole,/m, `${what}: the sound run beside it`);
  assert.match(report, /sound.report\.html/, what);
  const content = page.replace(/<(script|style)>.*?<\/\1>/gs, "");
  for (const text of [table, csv, content]) {
    const [odd] = /.{0,80}(\bundefined\b|\bNaN\b|\[object ).{0,40}/.exec(text) ?? [];
    assert.equal(odd, undefined, what);
  }
  const isNamed = codes.every((code) => code === 1);
  assert.ok(isNamed || codes.every((code) => code === 0), `${what}: ${codes}`);
  if (isNamed) assert.ok(notes.every((note) => note.includes(file)), `${what}: ${notes[0]}`);
  else assert.deepEqual(notes, [], what);
  return isNamed;
}

type Path = readonly (string | number)[];

/** Paths of all values in a value: of lists, in their first entry. */
function pathsIn(value: unknown, at: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [at];
  const keys = Array.isArray(value) ? [...value.keys()].slice(0, 1) : Object.keys(value);
  const inner = keys.flatMap((key) => pathsIn(Reflect.get(value, key), [...at, key]));
  return at.length === 0 ? inner : [at, ...inner];
}

const missing = Symbol("missing");
const wrong = [null, "x", "", -1, 0, 1e308, true, {}, [], [null], "a/../../b", missing];

/** JSON with one value replaced or removed. */
function edited(json: string, path: Path, value: unknown): string {
  const record = JSON.parse(json);
  const last = path.at(-1)!;
  const parent = path.slice(0, -1).reduce((inner, key) => Reflect.get(inner, key), record);
  if (value !== missing) parent[last] = value;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return JSON.stringify(record);
}

test("table and report leave out a run with any field that is wrong, and name its file", async () => {
  await withResults(async (results, broken) => {
    const files = filesOf("mixed", "broken");
    assert.equal(await attempt(results, "unchanged", ""), false);
    const attacks = Object.entries(files).flatMap(([file, text]) => {
      const [first, ...rest] = file.endsWith(".jsonl") ? text.split("\n") : [text];
      return pathsIn(JSON.parse(first)).flatMap((path) =>
        wrong.map((value) => ({
          file,
          what: `${file} ${path.join(".")} = ${
            String(value === missing ? "missing" : JSON.stringify(value))
          }`,
          text: [edited(first, path, value), ...rest].join("\n"),
        }))
      );
    });
    assert.ok(attacks.length > 1500, `${attacks.length} attacks`);
    const chosen = new Random("damaged records").shuffle(attacks).slice(0, 40);
    let named = 0;
    for (const { file, what, text } of chosen) {
      await Deno.writeTextFile(join(broken, file), text);
      if (await attempt(results, what, file)) named++;
      await Deno.writeTextFile(join(broken, file), files[file]);
    }
    assert.ok(named > 20 && named < 40, `${named} of ${chosen.length} named`);
  });
});

test("table and report name files that are no records of any form", async () => {
  const nested = (depth: number) => `${'{"a":['.repeat(depth)}${"]}".repeat(depth)}`;
  const contents = (text: string) =>
    [
      ["empty", ""],
      ["null", "null"],
      ["a list", "[]"],
      ["a number", "5"],
      ["zero bytes", "\0\0\0"],
      ["cut off", text.slice(0, -20)],
      ["deep", text.replace(/\}$/m, `,"extra":${nested(200_000)}}`)],
      [
        "infinite",
        text.replace(/\}$/m, ',"tokens":1e999,"cores":1e999,"state":1e999,"seed":1e999}'),
      ],
    ] as const;
  await withResults(async (results, broken) => {
    const files = filesOf("mixed", "broken");
    const formed = ["summary.json", "experiment.json", "environment.json", "metrics.jsonl"];
    for (const file of [...formed, "samples/recall.jsonl"]) {
      const text = files[file];
      const path = join(broken, file), isLines = file.endsWith(".jsonl");
      for (const [name, content] of contents(text)) {
        // Files of lines may be empty.
        if (isLines && content === "") continue;
        await Deno.writeTextFile(path, content);
        const isNamed = await attempt(results, `${file} is ${name}`, file);
        assert.equal(isNamed, true, `${file} is ${name}`);
      }
      await Deno.remove(path);
      if (file !== "summary.json") await attempt(results, `${file} is missing`, file);
      await Deno.mkdir(path);
      assert.equal(await attempt(results, `${file} is a folder`, file), true);
      await Deno.remove(path);
      await Deno.writeTextFile(path, text);
    }
  });
});

test("table names a folder that may not be listed, and shows the others", async () => {
  await withResults(async (results) => {
    const closed = join(results, "closed");
    await Deno.mkdir(closed);
    const readDir = Deno.readDir;
    // Whoever runs the tests may be allowed to list everything.
    Deno.readDir = (path) => {
      if (String(path) === closed) throw new Deno.errors.PermissionDenied("readdir");
      return readDir(path);
    };
    try {
      assert.equal(await attempt(results, "a folder that may not be listed", closed), true);
    } finally {
      Deno.readDir = readDir;
    }
  });
});

test("report writes only inside its folder, whatever records call phases and evaluations", async () => {
  await withResults(async (results, broken) => {
    const victim = join(results, "victim.svg");
    await Deno.writeTextFile(victim, "untouched");
    const files = filesOf("mixed", "broken");
    const phases = [
      ...["x/../../../victim", "../../victim", "..", "a\u0000b", `/${results}/victim`],
      ...["c:\\victim", "victim.svg/../../victim"],
    ];
    // One at a time: several adaptations share a figure, which they do not name.
    for (const phase of phases) {
      const lines = files["metrics.jsonl"].replaceAll('"longmem"', JSON.stringify(phase));
      await Deno.writeTextFile(join(broken, "metrics.jsonl"), lines);
      await Deno.remove(join(results, "mixed/figures"), { recursive: true }).catch(() => {});
      assert.equal(await attempt(results, `phase ${phase}`, "metrics.jsonl"), false);
      assert.equal(await Deno.readTextFile(victim), "untouched");
      const figures = await Array.fromAsync(Deno.readDir(join(results, "mixed/figures")));
      const names = figures.map(({ name }) => name).filter((name) => name.startsWith("training-"));
      assert.ok(names.length > 0, `the phase ${phase} has a figure`);
    }
    const around = await Array.fromAsync(Deno.readDir(results));
    assert.deepEqual(around.map(({ name }) => name).sort(), [
      "index.html", // of several experiments
      ...["mixed", "sound", "victim.svg"],
    ]);
    // A folder of figures that is a link is not followed.
    await Deno.remove(join(results, "mixed/figures"), { recursive: true });
    await Deno.mkdir(join(results, "elsewhere"));
    await Deno.symlink(join(results, "elsewhere"), join(results, "mixed/figures"));
    await assert.rejects(
      execute(reportCommand(recordedOutput()), join(results, "mixed")),
      /^InputError: Cannot write ".*figures" as it is a link/,
    );
    assert.deepEqual(await Array.fromAsync(Deno.readDir(join(results, "elsewhere"))), []);
  });
});

test("report keeps an earlier report where it cannot be written", async () => {
  await withResults(async (results) => {
    await execute(reportCommand(recordedOutput()), results);
    const path = join(results, "sound/report.html");
    const earlier = await Deno.readTextFile(path);
    const open = Deno.open;
    // A disk that is full after a few bytes.
    Deno.open = async (name, options) => {
      const file = await open(name, options);
      if (options?.write && String(name).includes("report.html")) {
        file.write = () => Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }));
      }
      return file;
    };
    try {
      await assert.rejects(
        execute(reportCommand(recordedOutput()), join(results, "sound")),
        /^InputError: Cannot write ".*report\.html" as the disk is full/,
      );
    } finally {
      Deno.open = open;
    }
    assert.equal(await Deno.readTextFile(path), earlier);
    const left = await Array.fromAsync(Deno.readDir(join(results, "sound")));
    assert.deepEqual(left.map(({ name }) => name).sort(), ["figures", "report.html", "whole"]);
  });
});
