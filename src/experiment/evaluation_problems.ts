/**
 * What is wrong with an evaluation: fields of its kind, and what it needs of the corpus and the memory.
 */
import { lowestCapacityTokens, memoryPart, updateProblems } from "../memory/config.ts";
import { mostNeedles } from "../text/needle.ts";
import type {
  ChapterBreakEvaluation,
  CorpusConfig,
  EfficiencyEvaluation,
  EvaluatedModel,
  EvaluationConfig,
  Experiment,
  InContextLearningEvaluation,
  MemoryConfig,
  NeedleEvaluation,
  PerplexityEvaluation,
  RecallEvaluation,
  ResolvedExperiment,
  SquadEvaluation,
} from "./declaration.ts";
import { modelName } from "./model_name.ts";
import { type Problem, repetitions, wrong } from "../declaration/problem.ts";

/** Evaluations that cannot take their segment length from a training. */
export function missingContexts(experiment: Experiment): Problem[] {
  if (experiment.adaptation || experiment.backbone.kind === "pretrain") return [];
  return experiment.evaluations.flatMap((evaluation, i) =>
    evaluation.contextTokens === undefined
      ? [{
        path: `evaluations.${i}.contextTokens`,
        message: "is missing, as no training declares it: allowed are positive integers",
      }]
      : []
  );
}

/** What is wrong with the fields of one kind of evaluation. */
export function evaluationProblems(
  evaluation: EvaluationConfig,
  experiment: ResolvedExperiment,
  path: string,
): Problem[] {
  const { corpus } = experiment, { kind } = evaluation;
  switch (kind) {
    case "perplexity":
    case "recall":
      return documentProblems(evaluation, corpus, path);
    case "chapter-break":
      return chapterBreakProblems(evaluation, corpus, path);
    case "efficiency":
      return efficiencyProblems(evaluation, path);
    case "needle":
      return needleProblems(evaluation, path);
    case "in-context-learning":
      return inContextLearningProblems(evaluation, experiment, path);
    case "squad":
      return squadProblems(evaluation, experiment, path);
    default:
      return kind satisfies never;
  }
}

/** Documents are those of the corpus. */
function documentProblems(
  { kind }: PerplexityEvaluation | RecallEvaluation,
  corpus: CorpusConfig,
  path: string,
): Problem[] {
  if (corpus.kind === "none") {
    return [wrong(
      `${path}.kind`,
      'must bring its own texts where corpus.kind is "none"',
      kind,
      "chapter-break, in-context-learning, squad, needle, efficiency, or a corpus of another kind",
    )];
  }
  return kind === "perplexity" || corpus.kind === "chronicle" ? [] : [wrong(
    `${path}.kind`,
    `must not be "recall" where corpus.kind is "${corpus.kind}", whose recalls are not known`,
    kind,
    "perplexity, or a corpus whose kind is chronicle",
  )];
}

/** A window must have room for a candidate and a token before it, and items are made of the corpus that is declared. */
function chapterBreakProblems(
  { source, prefixTokens, suffixTokens, contextTokens }: ChapterBreakEvaluation,
  corpus: CorpusConfig,
  path: string,
): Problem[] {
  const problems: Problem[] = [];
  if (suffixTokens >= contextTokens) {
    problems.push(wrong(
      `${path}.suffixTokens`,
      "must be below contextTokens, so that a token of the prefix stands before a candidate",
      suffixTokens,
      `integers from 1 to ${contextTokens - 1}`,
    ));
  }
  problems.push(...repetitions(prefixTokens, `${path}.prefixTokens`, "numbers"));
  if (source.kind !== "file") {
    const madeOf = source.kind === "chronicle" ? "chronicle" : "files";
    if (corpus.kind !== madeOf) {
      problems.push(wrong(
        `${path}.source.kind`,
        `must not be "${source.kind}" where corpus.kind is "${corpus.kind}"`,
        source.kind,
        { files: "file, books", chronicle: "file, chronicle", none: "file" }[corpus.kind],
      ));
    }
  }
  if (source.kind === "books" && source.headings !== undefined) {
    try {
      new RegExp(source.headings, "u");
    } catch (error) {
      problems.push(wrong(
        `${path}.source.headings`,
        `is no regular expression (${(error as Error).message})`,
        source.headings,
        "regular expressions of a whole heading",
      ));
    }
  }
  return problems;
}

/** Only some models have all tokens in sight; the others' memories must hold what the segment does not. */
function efficiencyProblems(
  { models, totalTokens, contextTokens, batchSize, memory }: EfficiencyEvaluation,
  path: string,
): Problem[] {
  const measured: readonly EvaluatedModel[] = ["backbone", "longmem", "untrained-with-memory"];
  const other = models.findIndex((model) => !measured.includes(model));
  const hasMemory = memory && models.some((model) => model !== "backbone");
  return [
    ...(other < 0 ? [] : [wrong(
      `${path}.models.${other}`,
      "is a model whose efficiency is not measured",
      modelName(models[other]),
      measured.join(", "),
    )]),
    ...repetitions(totalTokens, `${path}.totalTokens`, "numbers"),
    ...(hasMemory
      ? totalTokens.flatMap((tokens, i) => {
        const rows = memory.bank === "shared" ? batchSize : 1;
        const least = contextTokens + Math.max(
          Math.ceil(
            lowestCapacityTokens(rows * contextTokens, memory.chunkTokens, memory.eviction) / rows,
          ),
          Math.ceil(memory.retrievedTokens / rows),
        );
        return tokens >= least ? [] : [wrong(
          `${path}.totalTokens.${i}`,
          "must be contextTokens and what the smallest memory holds",
          tokens,
          `integers from ${least}`,
        )];
      })
      : []),
  ];
}

function needleProblems(
  { distances, needles, instances, models }: NeedleEvaluation,
  path: string,
): Problem[] {
  const tooMany = needles.findIndex((count) => count > mostNeedles);
  const control = models.indexOf("longmem-other-document");
  const isAlone = instances === 1 && needles.length === 1 && needles[0] >= distances.length;
  return [
    ...repetitions(distances, `${path}.distances`, "numbers"),
    ...repetitions(needles, `${path}.needles`, "numbers"),
    ...(control >= 0 && isAlone
      ? [wrong(
        `${path}.models.${control}`,
        `reads another text, of which ${path}.instances makes none`,
        "longmem-other-document",
        "other models, or two instances and more",
      )]
      : []),
    ...(tooMany < 0 ? [] : [wrong(
      `${path}.needles.${tooMany}`,
      "must not exceed the names there are",
      needles[tooMany],
      `integers from 1 to ${mostNeedles}`,
    )]),
  ];
}

function inContextLearningProblems(
  evaluation: InContextLearningEvaluation,
  { corpus }: Pick<ResolvedExperiment, "corpus">,
  path: string,
): Problem[] {
  const { source, scoring, calibration, memory, models } = evaluation;
  const problems: Problem[] = [];
  if ((source.kind === "chronicle") !== (corpus.kind === "chronicle")) {
    problems.push(wrong(
      `${path}.source.kind`,
      `must fit the words of a corpus whose kind is "${corpus.kind}"`,
      source.kind,
      corpus.kind === "chronicle" ? "chronicle" : "sentences",
    ));
  }
  if (source.kind === "sentences") {
    for (const field of ["tasks", "seeds"] as const) {
      problems.push(...repetitions(source[field], `${path}.source.${field}`, field));
    }
  }
  const control = models.indexOf("longmem-other-document");
  const others = source.kind === "chronicle" ? source.tasks : source.tasks.length;
  if (control >= 0 && others < 2) {
    problems.push(wrong(
      `${path}.models.${control}`,
      `reads the demonstrations of another task, of which ${path}.source.tasks has none`,
      "longmem-other-document",
      "other models, or two tasks and more",
    ));
  }
  if (calibration === "content-free" && scoring !== "label-likelihood") {
    problems.push(wrong(
      `${path}.calibration`,
      `must be "none" where ${path}.scoring is "${scoring}", which knows no likelihoods of labels`,
      calibration,
      "none, or label-likelihood as the scoring",
    ));
  } else if (calibration === "content-free" && source.kind === "chronicle") {
    problems.push(wrong(
      `${path}.calibration`,
      `must be "none" where ${path}.source.kind is "chronicle", whose words all say something`,
      calibration,
      "none",
    ));
  }
  problems.push(...bankProblems(memory, path));
  return problems;
}

function squadProblems(
  { seeds, memory, models, contextTokens, maxAnswerTokens }: SquadEvaluation,
  { corpus }: Pick<ResolvedExperiment, "corpus">,
  path: string,
): Problem[] {
  const problems = [...repetitions(seeds, `${path}.seeds`, "seeds"), ...bankProblems(memory, path)];
  if (corpus.kind === "chronicle") {
    problems.push(wrong(
      `${path}.kind`,
      'must not be "squad" where corpus.kind is "chronicle", which has other words',
      "squad",
      "other evaluations, or a corpus whose kind is files or none",
    ));
  }
  const control = models.indexOf("longmem-other-document");
  if (control >= 0) {
    problems.push(wrong(
      `${path}.models.${control}`,
      "reads the demonstrations of another task, and SQuAD is a single one",
      "longmem-other-document",
      "other models",
    ));
  }
  if (maxAnswerTokens >= contextTokens) {
    problems.push(wrong(
      `${path}.maxAnswerTokens`,
      "must leave room for a question within contextTokens",
      maxAnswerTokens,
      `integers from 1 to ${contextTokens - 1}`,
    ));
  }
  return problems;
}

/** The bank of an evaluation whose queries all read one memory. */
function bankProblems(memory: MemoryConfig | undefined, path: string): Problem[] {
  return !memory || memory.bank === "shared" ? [] : [wrong(
    `${path}.memory.bank`,
    'must be "shared", as all queries read what was read once',
    memory.bank,
    "shared",
  )];
}

/** What of an evaluation's memory does not fit; `isMemoryWrong`: whether the experiment's own is reported already. */
export function evaluationMemoryProblems(
  evaluation: EvaluationConfig,
  { memory, isMemoryWrong }: {
    readonly memory: MemoryConfig | undefined;
    readonly isMemoryWrong: boolean;
  },
  path: string,
): Problem[] {
  const own = evaluation.memory;
  if (own === undefined) return [];
  if (memory === undefined) {
    return [{
      path: `${path}.memory`,
      message: "overrides a memory that is not declared: allowed is none, or declare memory",
    }];
  }
  const isAnother = JSON.stringify(own) !== JSON.stringify(memory);
  if (isMemoryWrong && !isAnother) return [];
  const { kind, contextTokens } = evaluation;
  return [
    ...(isAnother ? memoryPart.check(own, `${path}.memory`) : []),
    // Where rows share a bank, texts are read into it one at a time; efficiency, which writes all rows at once, makes the room.
    ...(kind === "efficiency"
      ? []
      : updateProblems(own, { batchSize: 1, contextTokens }, `${path}.memory`)),
  ];
}
