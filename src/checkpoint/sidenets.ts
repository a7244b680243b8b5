/**
 * The kinds of SideNet: a file each, and its lines here.
 */
import { Registry } from "../declaration/registry.ts";
import type { SideNetKind } from "../longmem/config.ts";
import {
  initializedSideNet,
  type InitializedSideNetConfig,
  type InitializedSideNetDeclaration,
} from "../longmem/initialized_sidenet.ts";
import {
  checkpointSideNet,
  type CheckpointSideNetConfig,
  type CheckpointSideNetDeclaration,
} from "./checkpoint_sidenet.ts";

/** The trainable network beside the backbone. */
export type SideNetConfig = InitializedSideNetConfig | CheckpointSideNetConfig;

/** A SideNet as declared; initialised here, unless its kind says otherwise. */
export type SideNetDeclaration = InitializedSideNetDeclaration | CheckpointSideNetDeclaration;

/** The kinds of SideNet that declarations may name. */
export const sidenets = new Registry<
  SideNetKind<SideNetDeclaration, SideNetConfig>,
  SideNetDeclaration
>({ initialized: initializedSideNet, checkpoint: checkpointSideNet });

/** The kind of a SideNet: initialised where it names none. */
export function sideNetKindOf({ kind = "initialized" }: SideNetDeclaration | SideNetConfig) {
  return sidenets.get(kind);
}

/** Remarks on a SideNet: one, where it can hardly learn to read its memory. */
export function sideNetRemarks(sidenet: SideNetConfig | undefined): string[] {
  const remark = sidenet && sideNetKindOf(sidenet).remark?.(sidenet);
  return remark === undefined ? [] : [`note: ${remark}`];
}
