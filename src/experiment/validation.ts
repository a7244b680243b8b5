/**
 * Checks of a declaration: its form, then whether its values fit together. All problems are reported
 * at once, so that a declaration is corrected in one go; nothing behind this door checks again.
 */
import type { z } from "zod";
import type {
  BackboneConfig,
  ChapterBreakEvaluation,
  ConfiguredModel,
  CorpusConfig,
  EfficiencyEvaluation,
  EvaluatedModel,
  EvaluationConfig,
  Experiment,
  InContextLearningEvaluation,
  InitializedSideNetConfig,
  MemoryConfig,
  ModelEvaluation,
  NamedModel,
  NeedleEvaluation,
  PerplexityEvaluation,
  RecallEvaluation,
  ResolvedExperiment,
  SideNetConfig,
  SquadEvaluation,
  TrainingConfig,
} from "./declaration.ts";
import { lowestCapacityTokens, memoryOfSizes } from "../memory/config.ts";
import { publishedTable } from "../results/published.ts";
import { checkChronicle } from "../text/chronicle/config.ts";
import { mostNeedles } from "../text/needle.ts";
import { fillDefaults } from "./defaults.ts";
import { measuredModels, modelName } from "./model_name.ts";
import { experimentSchema, rootNode, type SchemaNode } from "./schema.ts";
import { allowedWords } from "./suggestion.ts";

/** One thing that is wrong with a declaration. */
export interface Problem {
  /** The field, as `--set` names it: `memory.chunkTokens`, `evaluations.0.models`. */
  readonly path: string;
  /** What is wrong, the current value and the allowed ones: the rest of a sentence about the field. */
  readonly message: string;
}

/** The declaration, or what the command line makes of it, is wrong: nothing has run. */
export class DeclarationError extends Error {
  /** Distinguishes it from other errors in logs. */
  override readonly name: string = "DeclarationError";
  /** What is wrong, field by field; empty where the message says all. */
  readonly problems: readonly Problem[];

  /** Says what is wrong: the whole message, and the same field by field. */
  constructor(message: string, problems: readonly Problem[] = []) {
    super(message);
    this.problems = problems;
  }
}

/**
 * Checks a declaration and fills in its defaults.
 *
 * @throws {DeclarationError} It lists every problem.
 */
export function validateExperiment(declaration: unknown): ResolvedExperiment {
  const { resolved, problems } = checkExperiment(declaration);
  if (resolved) return resolved;
  throw declarationError(declaration, problems);
}

/** What is wrong with a declaration of one run; where nothing is, the run. */
export function checkExperiment(
  declaration: unknown,
): { readonly resolved?: ResolvedExperiment; readonly problems: readonly Problem[] } {
  const present = withoutUndefined(declaration);
  const parsed = experimentSchema.safeParse(present);
  const problems = parsed.success
    ? [...missingContexts(parsed.data), ...missingWindows(parsed.data)]
    : parsed.error.issues.flatMap((issue) => formProblems(issue, present));
  if (parsed.success && problems.length === 0) {
    const resolved = fillDefaults(parsed.data);
    problems.push(...consistencyProblems(resolved));
    if (problems.length === 0) return { resolved, problems };
  }
  return { problems };
}

/** The error that lists the problems of a declaration. */
export function declarationError(
  declaration: unknown,
  problems: readonly Problem[],
): DeclarationError {
  const name = (declaration as { name?: unknown } | null)?.name;
  const subject = typeof name === "string" ? `experiment "${name}"` : "experiment";
  const reasons = problems.map(({ path, message }) => `${path} ${message}`.trim());
  return new DeclarationError(
    reasons.length === 1
      ? `Cannot declare ${subject} as ${reasons[0]}`
      : `Cannot declare ${subject} as ${reasons.length} fields are wrong:\n  ${
        reasons.join("\n  ")
      }`,
    problems,
  );
}

/** A field set to undefined is absent: `{ ...base, memory: undefined }` is the baseline of `base`. */
export function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([, field]) => field !== undefined)
      .map(([key, field]) => [key, withoutUndefined(field)]),
  );
}

/** What the form's checker found, in our words. */
function formProblems(issue: z.core.$ZodIssue, declaration: unknown): Problem[] {
  if (issue.code === "invalid_union") {
    // Of several forms, the one whose fields are wrong, and not the whole.
    const within = issue.errors.find((issues) => issues.every(({ path }) => path.length > 0));
    if (within) {
      return within.flatMap((inner) =>
        formProblems({ ...inner, path: [...issue.path, ...inner.path] }, declaration)
      );
    }
  }
  const path = issue.path.map(String);
  const field = path.join(".") || "the declaration";
  const { node, value } = find(path, declaration);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key].join("."),
      message: `is unknown: ${allowedWords(key, node.names)}`,
    }));
  }
  if (value === undefined) {
    return [{ path: field, message: `is missing: allowed are ${node.allowed}` }];
  }
  const allowed = node.type === "enum" && typeof value === "string"
    ? allowedWords(value, node.names)
    : `allowed are ${node.allowed}`;
  return [{
    path: field,
    message: `has a wrong value: current value is ${show(value)}, ${allowed}`,
  }];
}

/** The schema and the value at a path. */
function find(
  path: readonly string[],
  declaration: unknown,
): { node: SchemaNode; value: unknown } {
  let node = rootNode(declaration), value = declaration;
  for (const key of path) {
    node = node.child(key) ?? node;
    value = (value as Record<string, unknown> | undefined)?.[key];
  }
  return { node, value };
}

/** A value as errors show it. */
export function show(value: unknown): string {
  return typeof value === "number" || typeof value === "bigint"
    ? String(value)
    : JSON.stringify(value) ?? typeof value;
}

function wrong(path: string, rule: string, current: unknown, allowed: string): Problem {
  return { path, message: `${rule}: current value is ${show(current)}, allowed are ${allowed}` };
}

/** Evaluations that cannot take their segment length from a training. */
function missingContexts(experiment: Experiment): Problem[] {
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

/** Full contexts that cannot take their length from a memory. */
function missingWindows({ memory, evaluations }: Experiment): Problem[] {
  return evaluations.flatMap((evaluation, i) =>
    evaluation.models.flatMap((model, j) => {
      const settings = typeof model === "string" ? { model } : model;
      const unknown = settings.model === "backbone-full-context" &&
        !("windowTokens" in settings) && memory === undefined && evaluation.memory === undefined;
      return unknown
        ? [{
          path: `evaluations.${i}.models.${j}.windowTokens`,
          message: "is missing, as there is no memory to match: allowed are positive integers",
        }]
        : [];
    })
  );
}

/** What a model may need of the declaration. */
type Need = "sidenet" | "initialized SideNet" | "memory" | "adaptation" | "trained SideNet";

/** What each model needs of the declaration. */
const modelNeeds: Readonly<
  Record<NamedModel | ConfiguredModel["model"], readonly Need[]>
> = {
  "backbone": [],
  "sidenet-without-memory": ["sidenet", "initialized SideNet", "adaptation"],
  "longmem": ["sidenet", "memory", "trained SideNet"],
  "longmem-memory-off": ["sidenet", "memory", "trained SideNet"],
  "longmem-recent-memory": ["sidenet", "memory", "trained SideNet"],
  "longmem-other-document": ["sidenet", "memory", "trained SideNet"],
  "untrained-with-memory": ["sidenet", "initialized SideNet", "memory"],
  "memorizing-transformer": ["sidenet", "memory", "adaptation"],
  "backbone-sliding-window": [],
  "backbone-full-context": [],
  "infllm": [],
};

function isMet(need: Need, { sidenet, memory, adaptation }: ResolvedExperiment): boolean {
  const isRead = sidenet?.kind === "checkpoint";
  switch (need) {
    case "sidenet":
      return sidenet !== undefined;
    case "initialized SideNet":
      return !isRead;
    case "memory":
      return memory !== undefined;
    case "adaptation":
      return adaptation !== undefined;
    case "trained SideNet":
      return isRead || adaptation !== undefined;
    default:
      return need satisfies never;
  }
}

/** What of a declaration does not suit a model. */
function needProblems(
  kind: keyof typeof modelNeeds,
  experiment: ResolvedExperiment,
  path: string,
): Problem[] {
  const unmet = modelNeeds[kind].filter((need) => !isMet(need, experiment));
  if (unmet.length === 0) return [];
  const possible = (Object.keys(modelNeeds) as (keyof typeof modelNeeds)[])
    .filter((other) => modelNeeds[other].every((need) => isMet(need, experiment))).join(", ");
  if (unmet.includes("initialized SideNet")) {
    const rule = 'must not be listed where sidenet.kind is "checkpoint", as that SideNet was ' +
      "trained with a memory and its first weights are not known";
    return [wrong(path, rule, kind, possible)];
  }
  const missing = unmet.map((need) => need === "trained SideNet" ? "adaptation" : need)
    .join(" and ");
  return [wrong(
    path,
    `needs ${missing}, not declared`,
    kind,
    `${possible}, or a declaration with ${missing}`,
  )];
}

/** Values that are allowed alone, but not together. */
function reproductionProblems({ reproduces, evaluations }: ResolvedExperiment): Problem[] {
  if (!reproduces) return [];
  const published = publishedTable(reproduces.table);
  const unknown = (path: string, word: string, allowed: readonly string[]): Problem[] =>
    allowed.includes(word) ? [] : [{
      path: `reproduces.${path}`,
      message: `is unknown: current value is "${word}", ${allowedWords(word, allowed)}`,
    }];
  const { rows, columns } = reproduces;
  return [
    ...(rows.length === 0 ? [empty("rows", published.rows)] : []),
    ...(columns.length === 0 ? [empty("columns", published.columns)] : []),
    ...rows.flatMap(({ row }, i) => unknown(`rows.${i}.row`, row, published.rows)),
    ...rows.flatMap(({ model }, i) =>
      unknown(`rows.${i}.model`, model, evaluations.flatMap(measuredModels))
    ),
    ...columns.flatMap(({ column }, i) =>
      unknown(`columns.${i}.column`, column, published.columns)
    ),
    ...Object.entries({ rows, columns }).flatMap(([list, entries]) =>
      entries.flatMap(({ evaluation }, i) =>
        evaluation === undefined
          ? []
          : unknown(`${list}.${i}.evaluation`, evaluation, evaluations.map(({ name }) => name))
      )
    ),
  ];
}

/** Only some tables say by themselves what stands for what. */
function empty(field: string, headings: readonly string[]): Problem {
  return {
    path: `reproduces.${field}`,
    message: `is missing, as the table does not say what stands for it: its ${field} are ${
      headings.join(", ")
    }`,
  };
}

function consistencyProblems(experiment: ResolvedExperiment): Problem[] {
  const { backbone, sidenet, memory, adaptation, evaluations } = experiment;
  const problems = [
    ...reproductionProblems(experiment),
    ...corpusProblems(experiment),
    ...backboneProblems(backbone),
    ...(sidenet ? sidenetProblems(sidenet, backbone) : []),
    ...(memory ? memoryProblems(memory, "memory") : []),
    ...(adaptation ? trainingProblems(adaptation, "adaptation") : []),
  ];
  if (memory && adaptation) {
    problems.push(...updateProblems(memory, adaptation, "memory"));
    if (memory.reset === "document" && adaptation.batches === "lanes") {
      problems.push(wrong(
        "memory.reset",
        'must be "epoch" where adaptation.batches is "lanes", whose segments cross documents',
        memory.reset,
        "epoch",
      ));
    }
  }
  if (sidenet?.kind === "checkpoint" && !memory) {
    problems.push({
      path: "memory",
      message: 'is missing, but sidenet.kind is "checkpoint": such a SideNet reads one',
    });
  }
  for (const [name, part] of Object.entries({ memory, adaptation })) {
    if (part && !sidenet) {
      problems.push({ path: "sidenet", message: `is missing, but ${name} is declared for it` });
    }
  }
  const isMemoryWrong = problems.some(({ path }) => path.startsWith("memory."));
  for (const [i, evaluation] of evaluations.entries()) {
    const path = `evaluations.${i}`, { name } = evaluation;
    if (evaluations.findIndex((other) => other.name === name) < i) {
      problems.push(wrong(`${path}.name`, "is taken already", name, "names used once"));
    }
    problems.push(
      ...evaluationProblems(evaluation, experiment, path),
      ...modelProblems(evaluation, experiment, path),
      ...evaluationMemoryProblems(evaluation, { memory, isMemoryWrong }, path),
    );
  }
  return problems;
}

/** What is wrong with the fields of one kind of evaluation. */
function evaluationProblems(
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

/** Models that are listed twice, whose settings do not fit, or for which something is not declared. */
function modelProblems(
  evaluation: ModelEvaluation,
  experiment: ResolvedExperiment,
  path: string,
): Problem[] {
  const { models } = evaluation;
  return [
    ...repetitions(models.map(modelName), `${path}.models`, "models"),
    ...models.flatMap((model, i) => {
      const place = `${path}.models.${i}`;
      return typeof model === "string" ? needProblems(model, experiment, place) : [
        ...settingProblems(model, evaluation, place),
        ...needProblems(model.model, experiment, place),
      ];
    }),
  ];
}

/** What of an evaluation's memory does not fit; `isMemoryWrong`: whether the experiment's own is reported already. */
function evaluationMemoryProblems(
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
    ...(isAnother ? memoryProblems(own, `${path}.memory`) : []),
    // Where rows share a bank, texts are read into it one at a time; efficiency, which writes all rows at once, makes the room.
    ...(kind === "efficiency"
      ? []
      : updateProblems(own, { batchSize: 1, contextTokens }, `${path}.memory`)),
  ];
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

/** Values that a list has had before. */
function repetitions(
  values: readonly (string | number)[],
  path: string,
  name: string,
): Problem[] {
  return values.flatMap((value, i) =>
    values.indexOf(value) === i
      ? []
      : [wrong(`${path}.${i}`, "is listed twice", value, `${name} listed once`)]
  );
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

/** Settings of a model that do not fit its evaluation. */
function settingProblems(
  model: ConfiguredModel,
  evaluation: Pick<ModelEvaluation, "contextTokens" | "memory">,
  path: string,
): Problem[] {
  const { contextTokens } = evaluation;
  switch (model.model) {
    case "backbone-sliding-window":
    case "backbone-full-context":
      return model.windowTokens >= contextTokens ? [] : [wrong(
        `${path}.windowTokens`,
        "must hold the evaluation's contextTokens",
        model.windowTokens,
        `integers from ${contextTokens}`,
      )];
    case "infllm": {
      const memory = memoryOfSizes(model, evaluation.memory?.bank ?? "per-row");
      const tooLong = model.chunkTokens <= contextTokens ? [] : [wrong(
        `${path}.chunkTokens`,
        "must not exceed the evaluation's contextTokens",
        model.chunkTokens,
        `integers from 1 to ${contextTokens}`,
      )];
      const rowByRow = { batchSize: 1, contextTokens };
      return [
        ...memoryProblems(memory, path),
        ...tooLong,
        ...updateProblems(memory, rowByRow, path),
      ];
    }
    default:
      return model satisfies never;
  }
}

/** The chronicle and its vocabulary belong together, and its generator says what it can write. */
function corpusProblems(
  { corpus, tokenizer, backbone, adaptation }: ResolvedExperiment,
): Problem[] {
  if (corpus.kind !== "chronicle") {
    const allowed = corpus.kind === "files" ? ["bpe", "file", "gpt2"] : ["file", "gpt2"];
    const problems = allowed.includes(tokenizer.kind) ? [] : [wrong(
      "tokenizer.kind",
      `must not be "${tokenizer.kind}" where corpus.kind is "${corpus.kind}"`,
      tokenizer.kind,
      allowed.join(", "),
    )];
    const trains = { backbone: backbone.kind === "pretrain", adaptation: adaptation !== undefined };
    for (const [part, isTrained] of Object.entries(trains)) {
      if (!isTrained || corpus.kind === "files") continue;
      problems.push({
        path: "corpus.kind",
        message: `must not be "none" where ${part} is trained: allowed are files, chronicle`,
      });
    }
    return problems;
  }
  const problems: Problem[] = [];
  if (tokenizer.kind !== "chronicle") {
    problems.push(wrong(
      "tokenizer.kind",
      'must be "chronicle" where corpus.kind is "chronicle"',
      tokenizer.kind,
      "chronicle",
    ));
  }
  const { books, drills } = corpus;
  try {
    checkChronicle({ ...corpus.config, pretraining: { books: books.train, drills } });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.push({ path: "corpus.config", message: `is impossible: ${error.message}` });
  }
  return problems;
}

function backboneProblems(backbone: BackboneConfig): Problem[] {
  if (backbone.kind !== "pretrain") return [];
  const { hiddenDim, heads } = backbone;
  const problems = trainingProblems(backbone.training, "backbone.training");
  if (hiddenDim % heads !== 0) {
    problems.push(wrong(
      "backbone.hiddenDim",
      "must be a multiple of backbone.heads",
      hiddenDim,
      `multiples of ${heads}`,
    ));
  }
  return problems;
}

/**
 * Checks a new SideNet against the blocks of a backbone whose file says how many they are.
 *
 * @param layers Blocks of the backbone.
 * @throws {DeclarationError} It lists every problem.
 */
export function checkBlocks(experiment: ResolvedExperiment, layers: number): void {
  const { sidenet } = experiment;
  if (!sidenet || sidenet.kind === "checkpoint") return;
  const problems = blockProblems(sidenet, layers, "the backbone's layers");
  if (problems.length > 0) throw declarationError(experiment, problems);
}

/** All of a SideNet from a file is checked once it is read, the blocks of a backbone from one by {@linkcode checkBlocks}. */
function sidenetProblems(sidenet: SideNetConfig, backbone: BackboneConfig): Problem[] {
  if (sidenet.kind === "checkpoint") {
    const { layers, reductionFactor } = sidenet.shape ?? {};
    const { layers: blocks } = backbone.kind === "pretrain" ? backbone : backbone.shape ?? {};
    if (!layers || !reductionFactor || !blocks || layers * reductionFactor === blocks) return [];
    return [wrong(
      "sidenet.shape.layers",
      "must be the backbone's layers divided by sidenet.shape.reductionFactor",
      layers,
      `${blocks / reductionFactor} for ${blocks} layers`,
    )];
  }
  const { reductionFactor, initialization } = sidenet;
  const problems: Problem[] = [];
  if (initialization.kind === "paper" && reductionFactor === 1) {
    problems.push(wrong(
      "sidenet.initialization.kind",
      "must not be paper where sidenet.reductionFactor is 1: blocks r*i+1 end beyond the backbone",
      "paper",
      "blocks, random",
    ));
  }
  const declared = backbone.kind === "pretrain" ? backbone.layers : backbone.shape?.layers;
  if (declared === undefined) return problems;
  const field = backbone.kind === "pretrain" ? "backbone.layers" : "backbone.shape.layers";
  return [...problems, ...blockProblems(sidenet, declared, field)];
}

/** What a new SideNet and the blocks of its backbone do not agree in. */
function blockProblems(
  { reductionFactor, memoryBlock, initialization }: InitializedSideNetConfig,
  layers: number,
  field: string,
): Problem[] {
  const problems: Problem[] = [];
  if (layers % reductionFactor !== 0) {
    const divisors = Array.from({ length: layers }, (_, i) => i + 1).filter((r) =>
      layers % r === 0
    );
    problems.push(wrong(
      "sidenet.reductionFactor",
      `must divide ${field}`,
      reductionFactor,
      `${divisors.join(", ")} for ${layers} layers`,
    ));
  }
  if (memoryBlock >= layers) {
    problems.push(wrong(
      "sidenet.memoryBlock",
      `must be below ${field}`,
      memoryBlock,
      `integers from 0 to ${layers - 1}`,
    ));
  }
  if (initialization.kind === "blocks") {
    const { blocks } = initialization;
    if (layers % reductionFactor === 0 && blocks.length !== layers / reductionFactor) {
      problems.push(wrong(
        "sidenet.initialization.blocks",
        "must name one block for each SideNet layer",
        blocks,
        `lists of ${layers / reductionFactor} blocks`,
      ));
    }
    const outside = blocks.findIndex((block) => block >= layers);
    if (outside >= 0) {
      problems.push(wrong(
        `sidenet.initialization.blocks.${outside}`,
        `must be below ${field}`,
        blocks[outside],
        `integers from 0 to ${layers - 1}`,
      ));
    }
  }
  return problems;
}

function trainingProblems(training: TrainingConfig, path: string): Problem[] {
  const { steps, totalSteps, warmupSteps } = training;
  const last = Math.min(steps, totalSteps);
  return warmupSteps <= last ? [] : [wrong(
    `${path}.warmupSteps`,
    `must not exceed ${path}.${totalSteps < steps ? "totalSteps" : "steps"}`,
    warmupSteps,
    `integers from 0 to ${last}`,
  )];
}

function memoryProblems(memory: MemoryConfig, path: string): Problem[] {
  const { capacityTokens, chunkTokens, retrievedTokens, index } = memory;
  const problems: Problem[] = [];
  if (retrievedTokens % chunkTokens !== 0) {
    problems.push(wrong(
      `${path}.retrievedTokens`,
      `must be a multiple of ${path}.chunkTokens`,
      retrievedTokens,
      `multiples of ${chunkTokens}`,
    ));
  }
  if (retrievedTokens > capacityTokens) {
    problems.push(wrong(
      `${path}.retrievedTokens`,
      `must not exceed ${path}.capacityTokens`,
      retrievedTokens,
      `integers up to ${capacityTokens}`,
    ));
  }
  if (index.kind === "hnsw" && index.efSearch < retrievedTokens / chunkTokens) {
    problems.push(wrong(
      `${path}.index.efSearch`,
      "must not be below the chunks retrieved",
      index.efSearch,
      `integers from ${Math.ceil(retrievedTokens / chunkTokens)}`,
    ));
  }
  return problems;
}

/** Whether a bank can take what one batch writes (specification section 6). */
function updateProblems(
  memory: MemoryConfig,
  batch: { readonly batchSize: number; readonly contextTokens: number },
  path: string,
): Problem[] {
  const { capacityTokens, chunkTokens, bank, eviction, reset } = memory;
  const rows = bank === "shared" ? batch.batchSize : 1;
  const problems: Problem[] = [];
  if (rows > 1 && reset === "document") {
    problems.push(wrong(
      `${path}.reset`,
      `must be "epoch" where ${batch.batchSize} rows, whose documents begin at different times, ` +
        "share a bank",
      reset,
      "epoch",
    ));
  }
  const updateTokens = rows * batch.contextTokens;
  const lowest = lowestCapacityTokens(updateTokens, chunkTokens, eviction);
  if (capacityTokens < lowest) {
    const rule = eviction === "coarse"
      ? "must exceed two updates, as coarse eviction drops two at once"
      : "must hold one update";
    problems.push(wrong(
      `${path}.capacityTokens`,
      `${rule}, of ${updateTokens} tokens each`,
      capacityTokens,
      `integers from ${lowest}`,
    ));
  }
  return problems;
}
