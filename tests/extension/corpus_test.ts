import { z } from "zod";
import { describeRuns } from "../../src/commands/dry_run.ts";
import { positiveInteger } from "../../src/declaration/fields.ts";
import type { ChapterBreakEvaluation } from "../../src/evaluation/chapter_break.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { Random } from "../../src/random.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { defaultChronicle } from "../../src/text/chronicle/config.ts";
import { openChronicleTokenizer } from "../../src/text/chronicle/tokenizer.ts";
import {
  corpora,
  type CorpusConfig,
  type CorpusDeclaration,
} from "../../src/text/corpora/corpora.ts";
import {
  type CorpusKind,
  type Split,
  tokenizerProblems,
} from "../../src/text/corpora/corpus_kind.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

/** A corpus as another file would add it: documents that repeat a word of their own. */
interface EchoCorpusConfig {
  readonly kind: "echo";
  readonly documents: number;
  readonly words: number;
  readonly seed: number;
}

/** Makes such a kind; `opened` is told which splits are read. */
function echoKind(opened: (split: Split) => void): CorpusKind<CorpusDeclaration, CorpusConfig> {
  const kind: CorpusKind<Partial<EchoCorpusConfig> & { kind: "echo" }, EchoCorpusConfig> = {
    schema: z.strictObject({
      kind: z.literal("echo"),
      documents: positiveInteger.exactOptional(),
      words: positiveInteger.exactOptional(),
      seed: positiveInteger.exactOptional(),
    }) as unknown as z.ZodType<EchoCorpusConfig>,
    fill: (declared, { seed }) => ({ documents: 4, words: 100, seed, ...declared }),
    check: (_config, _path, { tokenizer }) =>
      tokenizerProblems("echo", tokenizer, ({ reads }) => reads === "chronicle"),
    documentCount: ({ documents }) => documents,
    chronicle: ({ seed }) => ({ seed, writing: defaultChronicle }),
    treatment: ({ words }) => ({ lines: "plain", unwrap: false, maxDocumentTokens: words / 2 }),
    checkDocuments({ seed }) {
      if (seed === 13) throw new Error("no documents of an unlucky seed");
      return Promise.resolve();
    },
    async open({ documents, words, seed }, { recordHash }) {
      const tokenizer = await openChronicleTokenizer();
      await recordHash("tokenizer", tokenizer.hash);
      const write = (split: Split) => {
        opened(split);
        return Promise.resolve(
          Array.from({ length: documents }, (_, i) => {
            const word = 10 + new Random(`${seed}/${split}/${i}`).below(4);
            return {
              name: `${split} ${i}`,
              tokens: Int32Array.from({ length: words }, () => word),
              words,
              gpt2Tokens: words,
            };
          }),
        );
      };
      const missing = () => Promise.reject(new Error("no texts"));
      return {
        tokenizer,
        documents: write,
        pretrainingDocuments: () => write("train"),
        texts: missing,
        books: missing,
      };
    },
  };
  // The types of declarations do not know it.
  return kind as unknown as CorpusKind<CorpusDeclaration, CorpusConfig>;
}

const training = { batchSize: 2, contextTokens: 16, steps: 40, learningRate: 1e-2 };

const declared = {
  name: "echo",
  corpus: { kind: "echo", documents: 8 } as unknown as { kind: "none" },
  tokenizer: { kind: "chronicle" },
  backbone: { kind: "pretrain", layers: 2, hiddenDim: 16, heads: 2, training },
  evaluations: [{ kind: "perplexity", split: "test", models: ["backbone"] }],
  device: "cpu",
} as const satisfies Experiment;

test("a corpus that is registered is declared, described and run, with no other change", () =>
  withFolder(async (folder) => {
    const resolve = (...assignments: string[]) =>
      resolveSweep("echo.ts", declared, { assignments });
    assert.throws(() => resolve(), /corpus.kind has a wrong value: current value is "echo"/);

    const read: Split[] = [];
    using _echo = corpora.register("echo", echoKind((split) => read.push(split)));
    assert.throws(() => resolve("corpus.word=3"), /"word" is not a field of corpus: .*"words"/);
    assert.throws(
      () => resolve("tokenizer.kind=gpt2", "tokenizer.folder=x"),
      /tokenizer.kind must be "chronicle" where corpus.kind is "echo"/,
    );
    const [run] = resolve("seed=7", "corpus.words=64");
    assert.deepEqual(run.experiment.corpus, { kind: "echo", documents: 8, words: 64, seed: 7 });
    assert.equal(resolve("sweep.corpus.words=32,64").length, 2);
    const described = await describeRuns([run], `${folder}/results`, await currentEnvironment());
    assert.match(described, /train backbone: 40 steps/);

    // Its kind says how many documents there are, and that they are texts.
    assert.throws(
      () => resolve("corpus.documents=1", "evaluations.0.models.0=longmem-other-document"),
      /reads another document, of which evaluations.0 has none/,
    );
    const losses = {
      ...declared,
      evaluations: [{ ...declared.evaluations[0], kind: "token-loss" }],
    };
    const [{ experiment }] = resolveSweep("echo.ts", losses as Experiment, { assignments: [] });
    assert.deepEqual(experiment.evaluations.map((loss) => Reflect.get(loss, "names")), [true]);

    // And that it is written in the words of the chronicle.
    const evaluationsOf = (evaluation: object) => () =>
      resolveSweep("echo.ts", {
        ...declared,
        evaluations: [{ models: ["backbone"], ...evaluation }],
      } as unknown as Experiment, { assignments: [] })[0].experiment.evaluations;
    assert.throws(
      evaluationsOf({ kind: "squad", folder: "squad" }),
      /must not be "squad" where corpus.kind is "echo", which has other words/,
    );
    const [breaks] = evaluationsOf({ kind: "chapter-break" })();
    assert.equal((breaks as ChapterBreakEvaluation).source.kind, "chronicle");
    assert.throws(
      evaluationsOf({ kind: "in-context-learning", source: { kind: "sentences", folder: "icl" } }),
      /must fit the words of a corpus whose kind is "echo": .*, allowed are chronicle/,
    );

    const results = `${folder}/results`;
    await assert.rejects(runExperiment({ ...declared, seed: 13 }, { results }), /an unlucky seed/);
    const { metrics, state, run: id } = await runExperiment(declared, { results });
    assert.equal(state, "completed");
    const recorded = JSON.parse(
      await Deno.readTextFile(`${results}/echo/${id}/checkpoint/backbone/phase.json`),
    );
    assert.equal(recorded.determinedBy.maxDocumentTokens, 50);
    assert.ok(read.includes("train") && read.includes("test"), read.join());
    // A model that has learnt which four words there are is far better than chance.
    const { value } = metrics.find(({ name }) => name === "perplexity")!;
    assert.ok(value < 100, `perplexity ${value}`);
  }));
