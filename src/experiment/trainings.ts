/**
 * The trainings that an experiment declares.
 */
import { modelKindOf, models } from "../evaluation/models.ts";
import { type Adaptation, backboneTraining } from "../training/adaptation.ts";
import { pretrainingOf } from "./backbones.ts";
import type { AdaptationConfig, ResolvedExperiment, TrainingConfig } from "./declaration.ts";

/** One training: that of the backbone, or an adaptation to it. */
export type DeclaredTraining =
  & { readonly name: string }
  & (
    | { readonly config: TrainingConfig; readonly adaptation?: undefined }
    | { readonly config: AdaptationConfig; readonly adaptation: Adaptation }
  );

/** The trainings of a run, in the order in which it does them: the backbone's, the main model's, those of models beside it. */
export function trainingsOf(
  { backbone, adaptation, memory, evaluations }: Pick<
    ResolvedExperiment,
    "backbone" | "adaptation" | "memory" | "evaluations"
  >,
): DeclaredTraining[] {
  const listed = new Set(evaluations.flatMap(({ models }) => models.map(modelKindOf)));
  const kinds = models.all.toSorted((a, b) => Number(!a.isMain) - Number(!b.isMain));
  const pretraining = pretrainingOf(backbone);
  return [
    ...(pretraining ? [{ name: backboneTraining, config: pretraining }] : []),
    ...kinds.flatMap((kind) =>
      adaptation && kind.adaptation &&
        (listed.has(kind) || kind.adaptation.isAlwaysDone?.({ memory }))
        ? [{ name: kind.adaptation.name, config: adaptation, adaptation: kind.adaptation }]
        : []
    ),
  ];
}
