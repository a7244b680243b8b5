/**
 * Parts of a model, and the network that they make.
 */
import { architectureOf, bankHeads } from "../backbone/architectures.ts";
import { backbonePrefix } from "../backbone/backbone_graph.ts";
import type { BackboneCheckpoint } from "../backbone/shape.ts";
import { InputTypeError } from "../errors.ts";
import type { MemoryConfig } from "../memory/config.ts";
import type { TensorMap } from "../tensor.ts";
import type { MemoryTells } from "./network.ts";
import { type Network, networks } from "./networks.ts";
import type { SideNetCheckpoint } from "./sidenet_shape.ts";

export interface LongMemParts {
  readonly backbone: BackboneCheckpoint;
  /** Absent: the backbone alone can be asked, or the network of another part. */
  readonly sideNet?: SideNetCheckpoint;
  /** The part of another network, whose memory it is; not together with a SideNet. */
  readonly other?: OtherPart;
  readonly memory?: MemoryConfig;
  /** Tokens of each row, the last, that the memory does not hold yet, as a sliding window still shows them (default 0). */
  readonly heldTokens?: number;
}

/** The part of a network without a SideNet. */
export interface OtherPart {
  readonly network: Network;
  /** Its sizes and settings. */
  readonly shape: unknown;
  /** Tensors by their names; absent: it has none. */
  readonly weights?: TensorMap;
}

/** The part that a model has beside the backbone and the memory. */
export function ownPart(
  { sideNet, other }: Pick<LongMemParts, "sideNet" | "other">,
): Omit<OtherPart, "network"> | undefined {
  return sideNet ?? other;
}

/** The network that all parts of a model make. */
export function wholeNetwork(
  { sideNet, other, memory }: Omit<LongMemParts, "backbone">,
): Network {
  if (sideNet) return memory ? "longmem" : "sidenet";
  return other?.network ?? "backbone";
}

/** The network of a model that tells of its memory; where there is none, another that would, and whose parts the model lacks. */
export function tellingNetwork(parts: Omit<LongMemParts, "backbone">, tells: MemoryTells): Network {
  const whole = wholeNetwork(parts);
  const telling = (name: string) => networks.get(name).memory?.tells === tells;
  return telling(whole) ? whole : networks.names.find(telling) as Network;
}

/** The part of a model that learns. */
export interface TrainedPart {
  /** Its name in records: `backbone`, or that of a part beside it, while the backbone stays as it is. */
  readonly name: string;
  /** Prefix of its weights among the inputs of a graph. */
  readonly prefix: string;
  /** Its sizes and settings. */
  readonly shape: unknown;
  /** As they start. */
  readonly weights: TensorMap;
  /** Numbers of the layers that have dropout. */
  readonly layers: readonly number[];
}

/**
 * The part of a model that a training changes.
 *
 * @throws {TypeError} Where its network has none.
 */
export function trainedPart(parts: LongMemParts): TrainedPart {
  const { backbone } = parts, own = ownPart(parts);
  if (!own) return { ...backbone, name: "backbone", prefix: backbonePrefix, layers: [] };
  const network = wholeNetwork(parts), kind = networks.get(network).part?.weights;
  if (!kind || !own.weights) {
    throw new InputTypeError(`Cannot train network "${network}" as it has no weights of its own`);
  }
  const { shape, weights } = own, { name, prefix } = kind;
  return { name, prefix, shape, weights, layers: kind.layers(shape, backbone.shape) };
}

/** The model with other weights of that part. */
export function withTrained(parts: LongMemParts, weights: TensorMap): LongMemParts {
  const { backbone, sideNet, other } = parts;
  if (sideNet) return { ...parts, sideNet: { ...sideNet, weights } };
  if (other) return { ...parts, other: { ...other, weights } };
  return { ...parts, backbone: { ...backbone, weights } };
}

/** The banks of a memory. */
export interface RememberedBanks {
  /** Heads of the keys, and the size of each. */
  readonly heads: number;
  readonly headDim: number;
  /** Soft cap of the scores of what reads them, as `AttentionHeads` has it. */
  readonly softCap?: number | undefined;
  /** Blocks whose keys and values are remembered, of each bank one. */
  readonly blocks: readonly number[];
  /** Whether each block reads its own bank. */
  readonly several: boolean;
  /** Why no other model may read the memory; absent: models of the same backbone and block may. */
  readonly unshared?: string | undefined;
}

/** The banks of a model's memory. */
export function banksOf(
  parts: Omit<LongMemParts, "backbone"> & { readonly backbone: Pick<BackboneCheckpoint, "shape"> },
): RememberedBanks {
  const { shape } = parts.backbone, { memory } = networks.get(wholeNetwork(parts));
  return {
    ...(memory?.heads?.(shape) ?? bankHeads(shape)),
    softCap: architectureOf(shape).scoreSoftCap?.(shape),
    blocks: memory?.blocks(ownPart(parts)?.shape, shape) ?? [],
    several: memory?.several ?? false,
    unshared: memory?.unshared,
  };
}
