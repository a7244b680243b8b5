/**
 * Models of an evaluation that cannot be measured: what they need is not declared, or their settings do not fit.
 */
import { memoryOfSizes, memoryPart, updateProblems } from "../memory/config.ts";
import type {
  ConfiguredModel,
  Experiment,
  ModelEvaluation,
  NamedModel,
  ResolvedExperiment,
} from "./declaration.ts";
import { modelName } from "./model_name.ts";
import { type Problem, repetitions, wrong } from "../declaration/problem.ts";

/** Full contexts that cannot take their length from a memory. */
export function missingWindows({ memory, evaluations }: Experiment): Problem[] {
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

/** Models that are listed twice, whose settings do not fit, or for which something is not declared. */
export function modelProblems(
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
      const rowByRow = { batchSize: 1, contextTokens };
      return [
        ...memoryPart.check(memory, path),
        ...updateProblems(memory, rowByRow, path),
      ];
    }
    default:
      return model satisfies never;
  }
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
