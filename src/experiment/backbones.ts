/**
 * Where a backbone comes from: the kinds that declarations may name, a line each.
 */
import type { BackboneKind } from "../backbone/config.ts";
import {
  checkpointBackbone,
  type CheckpointBackboneConfig,
  type CheckpointBackboneDeclaration,
} from "../checkpoint/checkpoint_backbone.ts";
import {
  huggingFaceBackbone,
  type HuggingFaceBackboneConfig,
  type HuggingFaceBackboneDeclaration,
} from "../checkpoint/huggingface_backbone.ts";
import { Registry } from "../declaration/registry.ts";
import type { TrainingConfig, TrainingDefaults } from "../training/config.ts";
import {
  pretrainedBackbone,
  type PretrainedBackboneConfig,
  type PretrainedBackboneDeclaration,
} from "../training/pretraining.ts";

/** The frozen language model. */
export type BackboneConfig =
  | CheckpointBackboneConfig
  | HuggingFaceBackboneConfig
  | PretrainedBackboneConfig;

/** A backbone as declared. */
export type BackboneDeclaration =
  | CheckpointBackboneDeclaration
  | HuggingFaceBackboneDeclaration
  | PretrainedBackboneDeclaration;

export const backbones = new Registry<
  BackboneKind<BackboneDeclaration, BackboneConfig, TrainingDefaults, TrainingConfig>,
  BackboneDeclaration
>({
  checkpoint: checkpointBackbone,
  huggingface: huggingFaceBackbone,
  pretrain: pretrainedBackbone,
});

/** How a run trains its backbone; undefined where it reads the weights. */
export function pretrainingOf(backbone: BackboneConfig): TrainingConfig | undefined {
  return backbones.get(backbone.kind).trained?.training(backbone);
}
