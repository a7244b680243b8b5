/**
 * A source of an evaluation is a file and a line: here one of chapter breaks and one of tasks are registered from outside, and
 * declared, described, estimated and run without any other change.
 */
import { z } from "zod";
import { describeRuns } from "../../src/commands/dry_run.ts";
import { positiveInteger, text } from "../../src/declaration/fields.ts";
import { wrong } from "../../src/declaration/problem.ts";
import type { ChapterBreakSourceKind } from "../../src/evaluation/chapter_break/source.ts";
import { chapterBreakSources } from "../../src/evaluation/chapter_break/sources.ts";
import type { DemonstrationSourceKind } from "../../src/evaluation/in_context_learning/source.ts";
import { demonstrationSources } from "../../src/evaluation/in_context_learning/sources.ts";
import type { EvaluationDeclaration } from "../../src/evaluation/evaluations.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { vocabulary, wordIds } from "../../src/text/chronicle/vocabulary.ts";
import { smallChronicle } from "../runner/small_chronicle.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

const { sidenet: _sidenet, memory: _memory, ...experiment } = smallChronicle;

function declare(evaluation: object): Experiment {
  return {
    ...experiment,
    name: "sources",
    evaluations: [{ models: ["backbone"], ...evaluation } as unknown as EvaluationDeclaration],
  };
}

interface Songs {
  readonly kind: "songs";
  readonly split: string;
  readonly verses: number;
  readonly lyrics?: string;
}

/** Works of one word each, of which only the right verse goes on. */
const songs: ChapterBreakSourceKind<Partial<Songs> & { kind: "songs" }, Songs> = {
  schema: z.strictObject({
    kind: z.literal("songs"),
    verses: positiveInteger.exactOptional(),
    lyrics: text.exactOptional(),
  }) as unknown as z.ZodType<Partial<Songs> & { kind: "songs" }>,
  isMadeOf: ({ chronicle }) => chronicle !== undefined,
  fill: (declared) => ({ split: "test", verses: 3, ...declared }),
  check: ({ verses }, path, corpus) =>
    verses === 13
      ? [wrong(`${path}.source.verses`, `bring ${corpus.kind} bad luck`, 13, "12")]
      : [],
  files: ({ lyrics }) => lyrics === undefined ? [] : [{ field: "source.lyrics", path: lyrics }],
  itemCount: ({ verses }) => verses,
  minPrefixTokens: () => 4,
  works: ({ verses }) => {
    const line = (id: number, count = 4) => Array(count).fill(vocabulary[id]).join(" ");
    const [first, ...others] = wordIds.persons.slice(0, 6);
    const song = (count: number) => ({
      ctx: line(first, count),
      pos: line(first),
      negs: others.map((id) => line(id)),
    });
    // The last one is too short.
    return Promise.resolve({ song: [...Array(verses).fill(song(30)), song(2)] });
  },
};

test("A registered source of chapter breaks is declared, described and run", () =>
  withFolder(async (folder) => {
    const evaluation = {
      kind: "chapter-break",
      prefixTokens: 20,
      source: { kind: "songs", verses: 2 },
    };
    const resolve = (...assignments: string[]) =>
      resolveSweep("songs.ts", declare(evaluation), { assignments });
    assert.throws(
      () => resolve(),
      /source.kind has a wrong value: current value is "songs", allowed are file, books, chronicle/,
    );
    using _songs = chapterBreakSources.register("songs", songs as never);
    assert.throws(
      () => resolve("evaluations.0.source.verses=13"),
      /evaluations.0.source.verses bring chronicle bad luck: current value is 13, allowed are 12/,
    );
    assert.throws(
      () => resolve("evaluations.0.source.verse=3"),
      /"verse" is not a field of evaluations.0.source: .*"verses"/,
    );
    const [run] = resolve();
    const { evaluations: [{ name }] } = run.experiment;
    assert.equal(name, "chapter-break-test");
    const described = await describeRuns([run], `${folder}/a`, await currentEnvironment());
    assert.match(
      described,
      /all chapter breaks of test, after 20 tokens; backbone; about 190 tokens/,
    );

    const results = `${folder}/results`;
    await assert.rejects(
      runExperiment(
        declare({ ...evaluation, source: { kind: "songs", lyrics: `${folder}/none` } }),
        { results, device: "cpu" },
      ),
      /evaluations.0.source.lyrics is missing: current value is ".*none"/,
    );
    const { metrics } = await runExperiment(declare(evaluation), { results, device: "cpu" });
    const { n } = metrics.find((metric) => metric.name === "accuracy 20")!;
    assert.equal(n, 2, "the short one is left out");
  }));

interface Echoes {
  readonly kind: "echoes";
  readonly tasks: number;
}

/** Tasks of one query each, whose answer is the only word of its demonstrations. */
const echoes: DemonstrationSourceKind<Partial<Echoes> & { kind: "echoes" }, Echoes> = {
  schema: z.strictObject({
    kind: z.literal("echoes"),
    tasks: positiveInteger.exactOptional(),
  }) as unknown as z.ZodType<Partial<Echoes> & { kind: "echoes" }>,
  draw: "task",
  fits: ({ chronicle }) => chronicle !== undefined,
  fill: (declared) => ({ tasks: 2, ...declared }),
  defaults: () => ({ shots: 5, scoring: "label-likelihood", memory: { retrievedTokens: 4 } }),
  taskCount: ({ tasks }) => tasks,
  check: ({ tasks }, path, { shots }) =>
    tasks === 13 ? [wrong(`${path}.source.tasks`, `with ${shots} shots`, 13, "12")] : [],
  describe: ({ tasks }) => `${tasks} echoes`,
  cost: ({ tasks }) => Promise.resolve(() => 100 * tasks),
  async write({ tasks }, { contextTokens }, { recordHash }) {
    await recordHash("echoes", "0".repeat(64));
    const ids = wordIds.persons.slice(0, 2);
    return {
      episodes: Array.from({ length: tasks }, (_, i) => ({
        task: "echo",
        seed: i,
        memory: [new Int32Array(contextTokens).fill(ids[i % 2])],
        queries: [{ item: `echo ${i}`, prompt: Int32Array.of(ids[i % 2]), label: i % 2 }],
        labels: ids.map((id) => vocabulary[id]),
        labelTokens: ids.map((id) => Int32Array.of(id)),
        commonestLabel: 0,
      })),
      totals: { echo: 5 },
    };
  },
};

test("A registered source of tasks is declared, described, estimated and run", () =>
  withFolder(async (folder) => {
    const evaluation = { kind: "in-context-learning", source: { kind: "echoes", tasks: 3 } };
    const resolve = (...assignments: string[]) =>
      resolveSweep("echoes.ts", declare(evaluation), { assignments });
    assert.throws(() => resolve(), /source.kind has a wrong value: current value is "echoes"/);
    using _echoes = demonstrationSources.register("echoes", echoes as never);
    assert.throws(
      () => resolve("evaluations.0.source.tasks=13"),
      /evaluations.0.source.tasks with 5 shots: current value is 13, allowed are 12/,
    );
    assert.throws(
      () => resolve("evaluations.0.calibration=content-free"),
      /must be "none" where evaluations.0.source.kind is "echoes", whose words all say something/,
    );
    assert.throws(
      () =>
        resolve("evaluations.0.source.tasks=1", "evaluations.0.models.0=longmem-other-document"),
      /reads the demonstrations of another task, of which evaluations.0.source.tasks has none/,
    );
    const [run] = resolve();
    const described = await describeRuns([run], `${folder}/a`, await currentEnvironment());
    assert.match(described, /all examples of 3 echoes/);
    assert.match(described, /300 tokens/);
    const { metrics, run: id } = await runExperiment(declare(evaluation), {
      results: `${folder}/results`,
      device: "cpu",
    });
    const { value, n, total } = metrics.find(({ model }) => model === "commonest-label")!;
    assert.deepEqual([value, n, total], [2 / 3, 3, 15]);
    const { hashes } = JSON.parse(
      await Deno.readTextFile(`${folder}/results/sources/${id}/environment.json`),
    );
    assert.equal(hashes.echoes, "0".repeat(64));
  }));
