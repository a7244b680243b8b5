// deno-lint-ignore-file no-console -- a program that prints
/**
 * An evaluation of one's own: questions about texts, each with a few answers to choose from. The likeliest answer, by the sum of
 * the log-likelihoods of its tokens, must be the right one.
 *
 *     deno run --allow-read --allow-write --allow-env --allow-ffi --allow-sys examples/custom_evaluation.ts
 *
 * It is registered from outside here; in the tree it would be a file in `src/evaluation/` and a line in `evaluations.ts`.
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { askPrompts, type Experiment, runExperiment, type RunSummary } from "@longmem/lab";
import {
  evaluationForm,
  type EvaluationKind,
  fillModelEvaluation,
  type ModelEvaluation,
  type ModelEvaluationDeclaration,
  promptOptions,
} from "../src/evaluation/evaluation_kind.ts";
import { type EvaluationDeclaration, evaluations } from "../src/evaluation/evaluations.ts";
import { differenceOf, sumsOver } from "../src/evaluation/measure.ts";
import { readableText } from "../src/evaluation/shared/language_model.ts";
import { text } from "../src/declaration/fields.ts";
import { cutSegments } from "../src/text/segments.ts";

/** A question about a text. */
export interface ChoiceQuestion {
  /** Names it in records. */
  readonly name: string;
  /** What is read into memory first. */
  readonly text: string;
  /** What stands before the answer. */
  readonly question: string;
  /** What may follow; the first is right. */
  readonly answers: readonly string[];
}

/** The evaluation, all fields filled in. */
interface ChoiceEvaluation extends ModelEvaluation {
  readonly kind: "choice";
  readonly questions: readonly ChoiceQuestion[];
}

/** The same as declared. */
type ChoiceDeclaration = ModelEvaluationDeclaration & Pick<ChoiceEvaluation, "kind" | "questions">;

/** A line of `samples/NAME.jsonl`, as far as measures need it. */
const record = z.looseObject({ item: z.string(), correct: z.number() });

/** The kind of evaluation. */
const choice: EvaluationKind<ChoiceDeclaration, ChoiceEvaluation, z.infer<typeof record>> = {
  schema: evaluationForm("choice", () => ({
    questions: z.array(
      z.strictObject({ name: text, text, question: text, answers: z.array(text).min(2) }),
    ).min(2),
  })),
  fill: (declared, from) => ({ name: "choice", ...fillModelEvaluation(declared, from) }),
  limit: (config, items) => ({
    ...config,
    questions: config.questions.slice(0, Math.max(2, items)),
  }),
  describe: ({ questions }) => `${questions.length} questions`,

  prepare(config, { texts: { tokenizer } }) {
    const { questions, contextTokens: T } = config;
    const items = questions.map(({ name, text, question, answers }) => {
      const tokens = tokenizer.encode(text);
      const whole = tokens.length - tokens.length % T;
      // Whole segments are read; what is left over stands before the question.
      const before = [...tokens.slice(whole), ...tokenizer.encode(question)];
      return {
        name,
        reading: cutSegments(tokens.slice(0, whole), T),
        prompts: answers.map((answer) => {
          const ids = tokenizer.encode(answer);
          return { tokens: Int32Array.from([...before, ...ids]), scored: ids.length };
        }),
      };
    });
    return {
      async score(model, scoring) {
        const scores = await askPrompts(model, items, promptOptions(config, items, scoring));
        return scores.map((answers, i) => {
          const nats = answers.map(({ nll }) => nll.reduce((sum, value) => sum + value, 0));
          return {
            item: items[i].name,
            correct: Number(nats[0] < Math.min(...nats.slice(1))),
            nats,
          };
        });
      },
      // A control reads that of the next question instead.
      texts: items.map(({ name, reading }) => ({ name, ...readableText(reading) })),
    };
  },

  // Changes whenever the same model would get another number.
  version: () => 1,
  record,
  measures: (records) => [{
    measure: "accuracy",
    name: "accuracy",
    sums: sumsOver(records, { unit: "questions", numerator: ({ correct }) => correct }),
    differences: [differenceOf("accuracy")],
  }],
  label: ({ over }) =>
    over === undefined
      ? { part: "", header: "accuracy", isProportion: true }
      : { part: "", header: "gain", meaning: `over ${over}`, isGain: true },
};

/** Questions about persons of the chronicle, whose homes were told once, some 150 tokens and more before. */
const persons = ["Kokund", "Nouglek", "Dezer", "Robol", "Thurom", "Fletis", "Vaibir", "Gahith"];
const homes = ["Flurmere", "Tasdale", "Birmere", "Raswick", "Senford", "Keikwick", "Vekford"];
const questions: readonly ChoiceQuestion[] = persons.map((person, i) => {
  const homeOf = (j: number) => homes[(i + 3 * j) % homes.length];
  const told = persons.map((other, j) => `hailed-from ${other} ${homeOf(j)} .`);
  const nothing = new Array(20).fill("the daindy pefol of the ridrel zapeed .");
  const right = homeOf(i);
  return {
    name: person,
    text: [...told, ...nothing].join("\n"),
    question: `hailed-from ${person}`,
    answers: [right, ...homes.filter((home) => home !== right)],
  };
});

/** Asks the questions of a backbone without training, alone and with a memory. */
export async function runChoice(results: string): Promise<RunSummary> {
  using _choice = evaluations.register("choice", choice as never);
  const evaluation: ChoiceDeclaration = {
    kind: "choice",
    models: ["backbone", "untrained-with-memory"],
    contextTokens: 64,
    questions,
  };
  const experiment: Experiment = {
    name: "custom_evaluation",
    corpus: { kind: "chronicle", books: { train: 1, valid: 1, test: 1 } },
    tokenizer: { kind: "chronicle" },
    backbone: {
      kind: "checkpoint",
      path: fileURLToPath(new URL("../data/chronicle/backbone", import.meta.url)),
    },
    sidenet: { memoryBlock: 2, initialization: { kind: "blocks", blocks: [0, 2] } },
    memory: { capacityTokens: 1024, chunkTokens: 4, retrievedTokens: 64 },
    // The types of declarations know the kinds of the tree alone.
    evaluations: [evaluation as unknown as EvaluationDeclaration],
  };
  return await runExperiment(experiment, { results, device: "cpu" });
}

if (import.meta.main) {
  const { run, metrics } = await runChoice("results");
  for (const { model, name, value, stderr, n } of metrics) {
    const error = stderr === undefined ? "" : ` \u00b1 ${stderr.toFixed(2)}`;
    console.log(`${model}: ${name} ${value.toFixed(2)}${error}, n ${n}`);
  }
  console.log(`samples and summary: results/custom_evaluation/${run}`);
}
