import { z } from "zod";
import { describeRuns } from "../../src/commands/dry_run.ts";
import { oneOf, positiveInteger } from "../../src/declaration/fields.ts";
import { introducedAt } from "../../src/declaration/identity.ts";
import { wrong } from "../../src/declaration/problem.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { FlatIndex } from "../../src/memory/index/flat_index.ts";
import { followWithIndexes } from "../../src/memory/index/follow_bank.ts";
import {
  type IndexConfig,
  type IndexDeclaration,
  indexes,
} from "../../src/memory/index/indexes.ts";
import type { IndexKind } from "../../src/memory/index/index_kind.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { writeCorpus } from "../queue/command_line_run.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

/** An index as another file would add it: exact, but outside of the graph, and in the middle of a refactoring. */
interface ListIndexConfig {
  readonly kind: "list";
  readonly shortlist: number;
  readonly order: "best-first" | "any";
}

/** Makes such a kind; `searched` is called whenever it searches. */
function listKind(searched: () => void): IndexKind<IndexDeclaration, IndexConfig> {
  const kind: IndexKind<ListIndexConfig, ListIndexConfig> = {
    schema: z.strictObject({
      kind: z.literal("list"),
      shortlist: positiveInteger.exactOptional(),
      order: introducedAt(oneOf("best-first", "any"), "best-first").exactOptional(),
    }) as unknown as z.ZodType<ListIndexConfig>,
    isExact: true,
    fill: (declared) => ({ ...{ shortlist: 64, order: "best-first" as const }, ...declared }),
    check: ({ shortlist }, path, { retrievedChunks }) =>
      shortlist >= retrievedChunks
        ? []
        : [wrong(`${path}.shortlist`, "is too short", shortlist, `from ${retrievedChunks}`)],
    open: (_config, surroundings) =>
      followWithIndexes(surroundings, (_head, sizes) => {
        const index = new FlatIndex(sizes);
        const search = index.search.bind(index);
        index.search = (...args) => {
          searched();
          search(...args);
        };
        return Promise.resolve(index);
      }),
  };
  // The types of declarations do not know it.
  return kind as unknown as IndexKind<IndexDeclaration, IndexConfig>;
}

const training = { batchSize: 2, contextTokens: 32, steps: 2, learningRate: 1e-3 };

/** A declaration for an index of that kind, in a folder with a corpus. */
const declare = (folder: string, index: object): Experiment => ({
  name: "list",
  corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
  tokenizer: { kind: "bpe", vocabSize: 280 },
  backbone: { kind: "pretrain", layers: 2, hiddenDim: 16, heads: 2, training },
  sidenet: { memoryBlock: 1 },
  memory: {
    capacityTokens: 128,
    retrievedTokens: 16,
    index: index as unknown as { kind: "exact" },
  },
  adaptation: training,
  evaluations: [{ kind: "perplexity", split: "test", models: ["longmem"], maxDocuments: 1 }],
  device: "cpu",
});

test("an index that is registered is declared, described and run, with no other change", () =>
  withFolder(async (folder) => {
    await writeCorpus(`${folder}/corpus`);
    const resolve = (index: object, ...assignments: string[]) =>
      resolveSweep("list.ts", declare(folder, index), { assignments });
    const problemsOf = (action: () => unknown) => {
      try {
        action();
      } catch (error) {
        return (error as Error).message.replaceAll(/^.* as /g, "");
      }
      return assert.fail("nothing was refused");
    };
    assert.match(
      problemsOf(() => resolve({ kind: "list" })),
      /memory.index.kind has a wrong value: current value is "list", allowed are exact, hnsw, usearch$/,
    );

    let searches = 0;
    using _list = indexes.register("list", listKind(() => searches++));
    // Form, rules, --set and --set of a sweep.
    assert.match(
      problemsOf(() => resolve({ kind: "list", shortlst: 3 })),
      /memory.index.shortlst is unknown: .*\(did you mean "shortlist"\?\)/,
    );
    assert.match(
      problemsOf(() => resolve({ kind: "list", shortlist: 3 })),
      /memory.index.shortlist is too short: current value is 3, allowed are from 4$/,
    );
    assert.match(
      problemsOf(() => resolve({ kind: "lst" })),
      /allowed are exact, hnsw, usearch, list \(did you mean "list"\?\)/,
    );
    const [set] = resolve({ kind: "exact" }, "memory.index.kind=list", "memory.index.shortlist=9");
    assert.deepEqual(set.experiment.memory?.index, {
      kind: "list",
      shortlist: 9,
      order: "best-first",
    });
    const swept = resolve({ kind: "list" }, "sweep.memory.index.shortlist=8,16");
    assert.equal(new Set(swept.map(({ id }) => id)).size, 2);
    // A field that came later is part of the identity only where it is used.
    const idOf = (index: object) => resolve(index)[0].id;
    assert.equal(idOf({ kind: "list" }), idOf({ kind: "list", order: "best-first" }));
    assert.notEqual(idOf({ kind: "list" }), idOf({ kind: "list", order: "any" }));

    const described = await describeRuns(
      resolve({ kind: "list" }),
      `${folder}/results`,
      await currentEnvironment(),
    );
    assert.match(described, /train longmem: 2 steps/);

    const options = { results: `${folder}/results` };
    const found = await runExperiment(declare(folder, { kind: "list" }), options);
    assert.equal(found.state, "completed");
    assert.ok(searches > 10, `${searches} searches`);
    const exact = await runExperiment(declare(folder, { kind: "exact" }), options);
    const valueOf = ({ metrics }: typeof exact) =>
      metrics.find(({ name }) => name === "perplexity")!.value;
    assert.ok(Math.abs(valueOf(found) - valueOf(exact)) < 1e-3 * valueOf(exact));
  }));
