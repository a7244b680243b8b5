/**
 * Every default of an experiment, in one place, and the protocols (specification section 17).
 */
import type { Experiment, ResolvedExperiment } from "./declaration.ts";
import { defaultArchitecture } from "../backbone/architectures.ts";
import { clusterPart } from "../cluster/config.ts";
import { sizeOf } from "../backbone/config.ts";
import { sideNetKindOf } from "../checkpoint/sidenets.ts";
import { adaptationPart } from "../training/config.ts";
import { type BackboneConfig, backbones, pretrainingOf } from "./backbones.ts";
import { memoryPart } from "../memory/config.ts";
import { kindOf, listMeasured } from "../evaluation/evaluations.ts";
import { reproductionPart } from "../results/reproduction.ts";
import { corpusKindOf } from "../text/corpora/corpora.ts";
import { tokenizers } from "../text/tokenizers/tokenizers.ts";

/** Fills in the defaults of a declaration that has the right form, and of which nothing is missing. */
export function fillDefaults(experiment: Experiment): ResolvedExperiment {
  const { question, sidenet, adaptation, threads, moved, seed = 1 } = experiment;
  const protocol = experiment.protocol ?? "strict";
  const memory = experiment.memory && memoryPart.fill(experiment.memory, { protocol });
  const corpus = corpusKindOf(experiment.corpus).fill(experiment.corpus, { protocol, seed });
  const backbone = backbones.get(experiment.backbone.kind).fill(experiment.backbone, { protocol });
  const adapted = adaptation &&
    adaptationPart.fill(adaptation, { protocol, size: sizeOf(experiment.backbone) });
  const { contextTokens } = adapted ?? pretrainingOf(backbone) ?? {};
  const evaluations = experiment.evaluations.map((evaluation) =>
    kindOf(evaluation).fill(evaluation, { corpus: corpus.kind, memory, contextTokens, protocol })
  );
  return {
    name: experiment.name,
    ...(question !== undefined && { question }),
    ...(experiment.reproduces && {
      reproduces: reproductionPart.fill(experiment.reproduces, {
        evaluations: listMeasured(evaluations),
      }),
    }),
    scale: experiment.scale ?? "scaled-down",
    seed,
    protocol,
    corpus,
    tokenizer: tokenizers.get(experiment.tokenizer.kind).fill(experiment.tokenizer, {}),
    backbone,
    ...(sidenet && {
      sidenet: sideNetKindOf(sidenet).fill(sidenet, {
        protocol,
        architecture: declaredArchitecture(backbone),
      }),
    }),
    ...(memory && { memory }),
    ...(adapted && { adaptation: adapted }),
    evaluations,
    device: experiment.device ?? "auto",
    ...(threads !== undefined && { threads }),
    ...(moved && { moved }),
    ...(experiment.cluster && { cluster: clusterPart.fill(experiment.cluster) }),
  };
}

/** The backbone's architecture, as far as it is declared: weights from elsewhere say it themselves. */
function declaredArchitecture(backbone: BackboneConfig): string | undefined {
  const { shape } = backbones.get(backbone.kind).shapeOf(backbone, "backbone");
  return shape.architecture ?? (pretrainingOf(backbone) && defaultArchitecture.name);
}
