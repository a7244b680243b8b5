/**
 * The models under test: a file each, and a line here.
 */
import { z } from "zod";
import type { Assert, Declared } from "../declaration/part.ts";
import { type Problem, repetitions, wrong } from "../declaration/problem.ts";
import { oneOf } from "../declaration/fields.ts";
import { type SideNetConfig, sideNetKindOf } from "../checkpoint/sidenets.ts";
import { composed, Registry } from "../declaration/registry.ts";
import type { ModelConfig, ModelKind, ModelNeed, ModelSurroundings } from "./model_kind.ts";
import { backbone } from "./models/backbone.ts";
import { copy, type CopyModel } from "./models/copy.ts";
import { fullContext } from "./models/full_context.ts";
import { type BlockMemoryModel, infLlm } from "./models/infllm.ts";
import type { WindowedModel } from "./models/in_window.ts";
import { knnLm, type KnnLmModel } from "./models/knn_lm.ts";
import { longMem } from "./models/longmem.ts";
import { longMemMemoryOff } from "./models/longmem_memory_off.ts";
import { longMemOtherDocument, type OtherDocumentModel } from "./models/longmem_other_document.ts";
import { longMemRecentMemory } from "./models/longmem_recent_memory.ts";
import { memorizingTransformer } from "./models/memorizing_transformer.ts";
import { sideNetWithoutMemory } from "./models/sidenet_without_memory.ts";
import { slidingWindow } from "./models/sliding_window.ts";
import { untrainedWithMemory } from "./models/untrained_with_memory.ts";

const kinds = {
  "backbone": backbone,
  "sidenet-without-memory": sideNetWithoutMemory,
  "longmem": longMem,
  "longmem-memory-off": longMemMemoryOff,
  "longmem-recent-memory": longMemRecentMemory,
  "longmem-other-document": longMemOtherDocument,
  "untrained-with-memory": untrainedWithMemory,
  "memorizing-transformer": memorizingTransformer,
  "backbone-sliding-window": slidingWindow,
  "backbone-full-context": fullContext,
  "infllm": infLlm,
  "copy": copy,
  "knn-lm": knnLm,
};
type Kinds = typeof kinds;

/** A model that needs no settings; the file of each in `src/evaluation/models/` describes it. */
export type NamedModel =
  | "backbone"
  | "sidenet-without-memory"
  | "longmem"
  | "longmem-memory-off"
  | "longmem-recent-memory"
  | "longmem-other-document"
  | "untrained-with-memory"
  | "memorizing-transformer";

/** A model that reads disjoint segments, or text in a window that slides: `longmem-window-512`. */
export type SlidingModel =
  | "sidenet-without-memory"
  | "longmem"
  | "longmem-memory-off"
  | "longmem-recent-memory"
  | "untrained-with-memory"
  | "memorizing-transformer";

/** A model with settings; results name it by its kind and the settings that tell it from others: `backbone-sliding-window-512`. */
export type ConfiguredModel =
  | WindowedModel<"backbone-sliding-window">
  | WindowedModel<"backbone-full-context">
  | WindowedModel<SlidingModel>
  | BlockMemoryModel
  | CopyModel
  | KnnLmModel
  | OtherDocumentModel;

/** A model that can be evaluated: its name, or an object of it and its settings. */
export type EvaluatedModel = NamedModel | ConfiguredModel;

/** A model as declared: its name, or an object with the settings that differ from the defaults. */
export type ModelDeclaration =
  | NamedModel
  | ConfiguredModel["model"]
  | { readonly model: NamedModel }
  | Declared<WindowedModel<"backbone-sliding-window">, "model">
  | Declared<WindowedModel<"backbone-full-context">, "model">
  | Declared<WindowedModel<SlidingModel>, "model">
  | Declared<BlockMemoryModel, "model">
  | Declared<CopyModel, "model">
  | Declared<KnnLmModel, "model">
  | Declared<OtherDocumentModel, "model">;

/** The unions are those of the registered models. */
type _Configs = Assert<
  ReturnType<Kinds[keyof Kinds]["fill"]> extends EvaluatedModel ? true : false
>;
type _Declarations = Assert<
  keyof Kinds | Parameters<Kinds[keyof Kinds]["fill"]>[0] extends ModelDeclaration ? true : false
>;

type AnyKind = ModelKind<{ readonly model: string }, ModelConfig>;

/** The models under test, by name. */
export const models: Registry<AnyKind> = new Registry(
  kinds as unknown as Readonly<Record<string, AnyKind>>,
  { discriminator: "model" },
);

export const modelSchema = composed(() =>
  z.union([oneOf(...models.names as [string]), models.schema])
    .describe("names of models, or objects of a model and its settings") as z.ZodType<
      ModelDeclaration
    >
);

export function modelKindOf(config: ModelConfig): AnyKind {
  return models.get(typeof config === "string" ? config : config.model);
}

/** The name of a model in results: its kind, and the settings that tell it from others of the kind. */
export function modelName(config: ModelConfig): string {
  return modelKindOf(config).nameOf(config);
}

/** Texts that a control reads in the place of each item; 1 of a model that reads the items' own. */
export function otherTextsOf(config: ModelConfig): number {
  return modelKindOf(config).otherTexts?.(config) ?? 1;
}

export function fillModel(
  declared: ModelDeclaration,
  evaluation: ModelSurroundings,
): EvaluatedModel {
  const declaration = typeof declared === "string" ? { model: declared } : declared;
  return modelKindOf(declared).fill(declaration, evaluation) as EvaluatedModel;
}

/** Settings of models that cannot be filled in. */
export function missingSettings(
  declared: readonly ModelDeclaration[],
  path: string,
  evaluation: { readonly hasMemory: boolean },
): Problem[] {
  return declared.flatMap((model, i) => {
    const declaration = typeof model === "string" ? { model } : model;
    return modelKindOf(model).missing?.(declaration, `${path}.${i}`, evaluation) ?? [];
  });
}

/** The parts of an experiment that models may need. */
export interface ModelParts {
  readonly sidenet?: SideNetConfig | undefined;
  readonly memory?: unknown;
  readonly adaptation?: unknown;
}

/** Models that are listed twice, whose settings do not fit, or for which something is not declared. */
export function modelProblems(
  evaluation: ModelSurroundings & { readonly models: readonly ModelConfig[] },
  experiment: ModelParts,
  path: string,
): Problem[] {
  return [
    ...repetitions(evaluation.models.map(modelName), `${path}.models`, "models"),
    ...evaluation.models.flatMap((model, i) => {
      const place = `${path}.models.${i}`;
      return [
        ...modelKindOf(model).check?.(model, place, evaluation) ?? [],
        ...needProblems(typeof model === "string" ? model : model.model, experiment, place),
      ];
    }),
  ];
}

const isTrained = ({ sidenet }: ModelParts) => sidenet && sideNetKindOf(sidenet).isTrained;

/** Whether a declaration has each part. */
const isMet: Readonly<Record<ModelNeed, (parts: ModelParts) => boolean | undefined>> = {
  sidenet: ({ sidenet }) => sidenet !== undefined,
  "initialized SideNet": (parts) => !isTrained(parts),
  memory: ({ memory }) => memory !== undefined,
  adaptation: ({ adaptation }) => adaptation !== undefined,
  "trained SideNet": (parts) => isTrained(parts) || parts.adaptation !== undefined,
};

/** Needs of a model that a declaration does not meet. */
function needProblems(name: string, experiment: ModelParts, path: string): Problem[] {
  const unmet = models.get(name).needs.filter((need) => !isMet[need](experiment));
  if (unmet.length === 0) return [];
  const possible = models.names
    .filter((other) => models.get(other).needs.every((need) => isMet[need](experiment)))
    .join(", ");
  if (unmet.includes("initialized SideNet")) {
    const rule = `must not be listed where sidenet.kind is "${experiment.sidenet!.kind}", ` +
      "as that SideNet was trained with a memory and its first weights are not known";
    return [wrong(path, rule, name, possible)];
  }
  const missing = unmet.map((need) => need === "trained SideNet" ? "adaptation" : need)
    .join(" and ");
  return [wrong(
    path,
    `needs ${missing}, not declared`,
    name,
    `${possible}, or a declaration with ${missing}`,
  )];
}
