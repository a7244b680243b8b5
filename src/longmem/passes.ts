/**
 * Passes of a model on its device: the sessions that were compiled for them, the weights, and the tensors of a batch.
 */
import { maskedInputs } from "../backbone/attention_bias.ts";
import type { Graph } from "../graph/graph.ts";
import { inStep } from "../graph/ops/following.ts";
import { mostLikely } from "../graph/ops/most_likely.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { targetRank } from "../graph/ops/target_rank.ts";
import { compile } from "../runtime/compile.ts";
import type { Device, Session, Tensors } from "../runtime/device.ts";
import { buildForward, headBlocks, headLogits, headLoss, segmentKeys } from "./forward_graph.ts";
import { frozenTensors } from "./frozen_tensors.ts";
import type { ForwardOptions } from "./network.ts";
import { type Network, networks } from "./networks.ts";
import { hostFunctionsOf, type OpenMemory } from "./open_memory.ts";
import { type LongMemParts, ownPart, wholeNetwork } from "./parts.ts";

/** Values that each output of a pass consists of; `retrieved` with the shares, where the pass explains itself. */
const outputValues = {
  logits: ["logits"],
  nll: ["nll"],
  choices: ["nll", "choices"],
  retrieved: ["retrieved"],
  cache: [],
  neighbours: ["nll", "retrieved"],
  "logits and neighbours": ["logits", "retrieved"],
  explained: ["nll", "retrieved"],
} as const satisfies Record<string, readonly ("logits" | "nll" | "choices" | "retrieved")[]>;

export type PassOutput = keyof typeof outputValues;

/** Properties that all passes of one session share. */
export interface PassKind extends
  Pick<
    ForwardOptions,
    "rows" | "contextTokens" | "scoredTokens" | "padded" | "cachedTokens"
  > {
  readonly want: PassOutput;
  readonly network: Network;
  readonly writes: boolean;
  /** Whether it returns the keys and values of the segment, for a cache. */
  readonly returnsKeys?: boolean;
}

/** Each session holds memory for the values of its passes, and texts of many lengths would make as many. */
const mostSessions = 24;

/** Sessions and weights of models that differ in their memories alone; one pass runs at a time. */
export class Passes {
  /** Sessions by their kinds, that used last at the end. */
  readonly #sessions = new Map<string, Session>();
  /** Tensors of the weights by their names in graphs. */
  readonly weights: Tensors;
  /** The memory of the pass that runs: sessions are those of all memories. */
  #memory: OpenMemory | undefined;

  constructor(readonly device: Device, readonly parts: LongMemParts) {
    this.weights = frozenTensors(device, parts.backbone);
    const kind = networks.get(wholeNetwork(parts)).part?.weights;
    for (const [name, { data, shape }] of ownPart(parts)?.weights ?? []) {
      this.weights[kind!.prefix + name] = device.tensor(data, shape);
    }
  }

  /**
   * Runs a kind of pass on a batch, the weights and the memory, if its network reads one; inputs of the batch come before the
   * memory's.
   *
   * @param batch It is freed: the garbage collector does not see how much of a GPU it holds.
   * @param cached Keys and values of the segment before it, where the pass reads them.
   */
  async run(
    kind: PassKind,
    batch: Tensors,
    memory: OpenMemory | undefined,
    cached: Tensors = {},
  ): Promise<Tensors> {
    const session = await this.#session(kind, memory);
    const remembered = memory?.inputs(kind.rows);
    this.#memory = memory;
    const verified = memory?.verify();
    verified?.catch(() => {}); // where the pass fails, that is the error
    const outputs = await session.run({ ...this.weights, ...remembered, ...cached, ...batch });
    await verified;
    for (const tensor of Object.values(batch)) tensor.dispose();
    return outputs;
  }

  async #session(kind: PassKind, memory: OpenMemory | undefined): Promise<Session> {
    const name = JSON.stringify(kind), known = this.#sessions.get(name);
    this.#sessions.delete(name);
    if (!known && this.#sessions.size === mostSessions) {
      const [[oldest, idle]] = this.#sessions;
      this.#sessions.delete(oldest);
      await idle.close();
    }
    const session = known ?? await compile(this.device, this.#graph(kind, memory), {
      hostOutputs: ["logits", "nll", "choices", "ranks", "ids", "scores", "weights", "gates"],
      hostFunctions: hostFunctionsOf(() => this.#memory!),
    });
    this.#sessions.set(name, session);
    return session;
  }

  #graph(kind: PassKind, memory: OpenMemory | undefined): Graph {
    const { backbone } = this.parts, { blockBytes, fusedQueries } = this.device;
    const { want, returnsKeys, writes, ...sizes } = kind;
    const forward = buildForward({
      ...sizes,
      backbone: backbone.shape,
      frozenType: backbone.frozenType,
      part: ownPart(this.parts)?.shape,
      memory: memory?.inGraph,
      explains: want === "explained",
      blockBytes,
      fusedQueries,
    });
    const { graph } = forward;
    const values = new Set<string>(outputValues[want]);
    if (values.has("logits")) graph.output("logits", headLogits(forward));
    if (values.has("nll")) {
      const blocks = headBlocks(forward, { blockBytes });
      const nll = headLoss(forward, { blocks, frozen: true });
      if (values.has("choices")) {
        const targets = reshape(graph.inputs.get("targets")!, forward.features.shape.slice(0, 1));
        const choices = mostLikely(blocks), ranks = targetRank(blocks, targets);
        graph.output("choices", choices);
        graph.output("ranks", ranks);
        // Added last, so that the engine begins with it and makes all three of one block after the other.
        graph.output("nll", inStep(nll, [choices, ranks]));
      } else graph.output("nll", nll);
    }
    if (values.has("retrieved")) {
      const [{ ids, scores, shares }] = forward.retrieved;
      graph.output("ids", ids);
      graph.output("scores", scores);
      if (shares) {
        graph.output("weights", shares.weights);
        graph.output("gates", shares.gate);
      }
    }
    if (returnsKeys) {
      for (const [name, value] of segmentKeys(forward)) graph.output(name, value);
    }
    if (writes) memory!.addOutputs(forward);
    return graph;
  }

  /** Closes the sessions, which search the memory's index. */
  async closeSessions(): Promise<void> {
    for (const session of this.#sessions.values()) await session.close();
    this.#sessions.clear();
  }

  /** Frees the weights on the device. */
  dispose(): void {
    for (const tensor of Object.values(this.weights)) tensor.dispose();
  }
}

/**
 * Tensors of a batch by their names in graphs.
 *
 * @param options `mask`: 1 for tokens, 0 for padding, of a graph that is padded.
 */
export function batchFeeds(
  device: Device,
  { tokens, targets }: { tokens: Int32Array; targets?: Int32Array | undefined },
  { rows, mask }: { rows: number; mask?: Uint8Array | undefined },
): Tensors {
  const contextTokens = tokens.length / rows;
  const shape = [rows, contextTokens];
  const feeds: Tensors = { tokens: device.tensor(Int32Array.from(tokens), shape) };
  if (targets) {
    feeds.targets = device.tensor(Int32Array.from(targets), [rows, targets.length / rows]);
  }
  if (mask) {
    const { positions, keyBias } = maskedInputs(mask, { rows, contextTokens });
    feeds.positions = device.tensor(positions, shape);
    feeds.keyBias = device.tensor(keyBias, shape);
    feeds.position = device.tensor(Int32Array.from(positions), shape);
  }
  return feeds;
}
