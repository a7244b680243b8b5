/**
 * Checks of a declaration: its form, then whether its values fit together. All problems are reported
 * at once, so that a declaration is corrected in one go; nothing behind this door checks again.
 */
import { reproductionPart } from "../results/reproduction.ts";
import { corpora } from "../text/corpora/corpora.ts";
import { tokenizers } from "../text/tokenizers/tokenizers.ts";
import type { Experiment, ResolvedExperiment } from "./declaration.ts";
import { fillDefaults } from "./defaults.ts";
import { evaluationMemoryProblems } from "../evaluation/evaluation_kind.ts";
import { kindOf, listMeasured } from "../evaluation/evaluations.ts";
import { missingSettings, modelKindOf, modelProblems } from "../evaluation/models.ts";
import { parseForm } from "../declaration/form_problems.ts";
import { architectureOf } from "../backbone/architectures.ts";
import { type DeclaredShape, shapeProblems, sizeOf } from "../backbone/config.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { sideNetKindOf } from "../checkpoint/sidenets.ts";
import { adaptationPart } from "../training/config.ts";
import { backbones } from "./backbones.ts";
import { memoryPart, updateProblems } from "../memory/config.ts";
import { declarationError, type Problem, wrong } from "../declaration/problem.ts";
import { experimentSchema } from "./schema.ts";

/** Checks a declaration of one run, of which no field is undefined: returns its problems, or without any the run. */
export function checkExperiment(
  declaration: unknown,
): { readonly resolved?: ResolvedExperiment; readonly problems: readonly Problem[] } {
  const { declared: experiment, problems: malformed } = parseForm<Experiment>(
    experimentSchema(),
    declaration,
  );
  if (experiment === undefined) return { problems: malformed };
  const { protocol = "strict", backbone, adaptation, sidenet, evaluations } = experiment;
  const sideNetKind = sidenet && sideNetKindOf(sidenet);
  const incomplete = [
    ...backbones.get(backbone.kind).missing?.(backbone, "backbone", { protocol }) ?? [],
    ...(adaptation
      ? adaptationPart.missing(adaptation, "adaptation", { size: sizeOf(backbone) })
      : []),
    ...sideNetKind?.missing?.(sidenet!, "sidenet", { protocol }) ?? [],
    ...missingContexts(experiment),
    ...evaluations.flatMap(({ models, memory }, i) =>
      missingSettings(models, `evaluations.${i}.models`, {
        hasMemory: memory !== undefined || experiment.memory !== undefined,
      })
    ),
  ];
  if (incomplete.length > 0) return { problems: incomplete };
  const resolved = fillDefaults(experiment);
  const problems = consistencyProblems(resolved);
  return problems.length > 0 ? { problems } : { resolved, problems };
}

/** Evaluations that cannot take their segment length from a training. */
function missingContexts(experiment: Experiment): Problem[] {
  const { adaptation, backbone } = experiment;
  if (adaptation || backbones.get(backbone.kind).trained) return [];
  return experiment.evaluations.flatMap((evaluation, i) =>
    evaluation.contextTokens === undefined
      ? [{
        path: `evaluations.${i}.contextTokens`,
        message: "is missing, as no training declares it: allowed are positive integers",
      }]
      : []
  );
}

/**
 * Checks a new SideNet and the lengths of segments against a backbone whose file says its sizes.
 *
 * @throws {DeclarationError} It lists every problem.
 */
export function checkBackbone(experiment: ResolvedExperiment, shape: BackboneShape): void {
  const { sidenet } = experiment;
  const blocks = { layers: shape.layers, field: "the backbone's layers" };
  const problems = [
    ...sidenet && sideNetKindOf(sidenet).check?.(sidenet, "sidenet", blocks) || [],
    ...segmentProblems(experiment, architectureOf(shape).mostTokens?.(shape)),
  ];
  if (problems.length > 0) throw declarationError(experiment, problems);
}

/** The longest segment of a backbone by its declared sizes; undefined where they set no limit, or do not say it. */
function longestSegment({ shape, path }: DeclaredShape): number | undefined {
  const { hiddenDim, heads } = shape;
  if (!hiddenDim || !heads || shapeProblems(shape, path).length > 0) return undefined;
  // The sizes filled in here set no limit.
  const sizes = { layers: 1, feedForwardDim: 1, vocabSize: 1, ...shape, hiddenDim, heads };
  return architectureOf(shape).mostTokens?.(sizes);
}

/** Segments and windows that are longer than the backbone has positions for, beside those of its own training. */
function segmentProblems(
  { adaptation, evaluations }: ResolvedExperiment,
  most = Infinity,
): Problem[] {
  const limit = (path: string, tokens = 0) =>
    tokens <= most ? [] : [wrong(
      path,
      "must not exceed the positions of the backbone",
      tokens,
      `integers up to ${most}`,
    )];
  return [
    ...limit("adaptation.contextTokens", adaptation?.contextTokens),
    ...evaluations.flatMap(({ contextTokens, models }, i) => [
      ...limit(`evaluations.${i}.contextTokens`, contextTokens),
      ...models.flatMap((model, j) =>
        limit(
          `evaluations.${i}.models.${j}.windowTokens`,
          modelKindOf(model).windowTokens?.(model),
        )
      ),
    ]),
  ];
}

/** Values that are allowed alone, but not together. */
function consistencyProblems(experiment: ResolvedExperiment): Problem[] {
  const { reproduces, corpus, tokenizer, backbone, sidenet, memory, adaptation, evaluations } =
    experiment;
  const backboneKind = backbones.get(backbone.kind), tokenizerKind = tokenizers.get(tokenizer.kind);
  const declared = backboneKind.shapeOf(backbone, "backbone");
  const { shape: { layers }, path } = declared;
  const sideNetKind = sidenet && sideNetKindOf(sidenet);
  const trained = [
    ...(backboneKind.trained ? ["backbone"] : []),
    ...(adaptation ? ["adaptation"] : []),
  ];
  const problems = [
    ...(reproduces
      ? reproductionPart.check(reproduces, "reproduces", { evaluations: listMeasured(evaluations) })
      : []),
    ...corpora.get(corpus.kind).check?.(corpus, "corpus", { tokenizer, trained }) ?? [],
    ...backboneKind.check?.(backbone, "backbone", {}) ?? [],
    ...tokenizerKind.check?.(tokenizer, "tokenizer", {}) ?? [],
    ...(tokenizerKind.besideWeights && backboneKind.trained
      ? [wrong(
        "tokenizer.kind",
        `must not be ${tokenizer.kind} where backbone.kind is ${backbone.kind}: there are no weights that it lies beside`,
        tokenizer.kind,
        tokenizers.names.filter((name) => {
          const { reads, besideWeights } = tokenizers.get(name);
          return reads === "texts" && !besideWeights;
        }).join(", "),
      )]
      : []),
    ...sideNetKind?.check?.(sidenet!, "sidenet", { layers, field: `${path}.layers` }) ?? [],
    ...(memory ? memoryPart.check(memory, "memory") : []),
    ...(adaptation ? adaptationPart.check(adaptation, "adaptation") : []),
    ...segmentProblems(experiment, longestSegment(declared)),
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
  if (sideNetKind?.isTrained && !memory) {
    problems.push({
      path: "memory",
      message: `is missing, but sidenet.kind is "${sidenet!.kind}": such a SideNet reads one`,
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
    const kind = kindOf(evaluation);
    if (evaluations.findIndex((other) => other.name === name) < i) {
      problems.push(wrong(`${path}.name`, "is taken already", name, "names used once"));
    }
    problems.push(
      ...kind.check?.(evaluation, path, experiment) ?? [],
      ...modelProblems(evaluation, experiment, path),
      ...evaluationMemoryProblems(evaluation, { ...kind, memory, isMemoryWrong }, path),
    );
  }
  return problems;
}
