/**
 * A LongMem whose inner values can be seen: the graph functions of the model, with their values as outputs.
 */
import { attentionBias, paddedInputs } from "../../src/backbone/attention_bias.ts";
import {
  backboneForward,
  backbonePrefix,
  backboneWeights,
  weightInputs,
} from "../../src/backbone/backbone_graph.ts";
import { Graph, type Value } from "../../src/graph/graph.ts";
import { linear } from "../../src/graph/ops/linear.ts";
import { padId } from "../../src/backbone/shape.ts";
import type { ReferenceParts } from "./reference_model.ts";
import { memoryLayer, sideNetTensorShapes } from "../../src/longmem/sidenet_shape.ts";
import { sideNetForward } from "../../src/longmem/sidenet_graph.ts";
import { retrievedChunks } from "../../src/memory/config.ts";
import type { OutsideIndex } from "../../src/memory/index/chunk_index.ts";
import { MemoryBank } from "../../src/memory/memory_bank.ts";
import { bankInputs } from "../../src/memory/memory_graph.ts";
import { followBank, retrieve, retrieveFunction } from "../../src/memory/retriever.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device, Session, Tensors } from "../../src/runtime/device.ts";
import { assert } from "../testing.ts";
import { sideNetPrefix } from "../../src/longmem/networks/sidenet.ts";

/** Values of a pass by name; tensors as the graph has them, ids as ages. */
export interface Observation {
  readonly values: Readonly<Record<string, Float32Array>>;
  /** Age of each retrieved chunk [B, H, T, n], 0 the oldest of its bank, -1 where none is left. */
  readonly ages: Int32Array;
  /** Their scores [B, H, T, n]. */
  readonly scores: Float32Array;
  /** Keys and values of the retrieved tokens [B, H, T, K, D] as the bank holds them, by the ids of the graph. */
  readonly retrieved: { keys: Float32Array; values: Float32Array };
}

/** Contents of one bank, the oldest chunk first, zeros behind the newest. */
export interface BankContents {
  /** [H, P, c, D] */
  readonly keys: Float32Array;
  /** [H, P, c, D] */
  readonly values: Float32Array;
  /** [H, count, D] */
  readonly meanKeys: Float32Array;
  readonly count: number;
}

/** A model with exact retrieval that shows everything it computes. */
export class ObservedModel {
  readonly bank: MemoryBank;
  readonly #weights: Tensors = {};
  readonly #sessions = new Map<string, Session>();
  readonly #index: Promise<OutsideIndex | undefined>;

  constructor(
    readonly device: Device,
    readonly parts: ReferenceParts,
    rows: number,
  ) {
    const { heads, hiddenDim } = parts.backbone.shape;
    this.bank = new MemoryBank(device, parts.memory, {
      rows,
      heads,
      headDim: hiddenDim / heads,
      readByGraphs: true,
    });
    this.#index = followBank(this.bank, device, { seed: 1 });
    for (const [name, { data, shape }] of parts.backbone.weights) {
      this.#weights[backbonePrefix + name] = device.tensor(data, shape);
    }
    for (const [name, { data, shape }] of parts.sideNet.weights) {
      this.#weights[sideNetPrefix + name] = device.tensor(data, shape);
    }
  }

  /** A pass over tokens [B, T]. */
  async pass(
    tokens: Int32Array,
    options: { rows: number; readOnly?: boolean },
  ): Promise<Observation> {
    const B = options.rows, T = tokens.length / B, padded = tokens.includes(padId);
    const key = JSON.stringify([B, T, padded]);
    const session = this.#sessions.get(key) ?? await this.#compile(B, T, padded);
    this.#sessions.set(key, session);
    const feeds: Tensors = { ...this.#weights, ...this.bank.inputs(B) };
    feeds.tokens = this.device.tensor(Int32Array.from(tokens), [B, T]);
    if (padded) {
      const inputs = paddedInputs(tokens, { rows: B, contextTokens: T, pad: padId });
      feeds.positions = this.device.tensor(inputs.positions, [B, T]);
      feeds.keyBias = this.device.tensor(inputs.keyBias, [B, T]);
    }
    const outputs = await session.run(feeds);
    const { ids: found, ...others } = outputs;
    // At once, as each wait for a GPU takes Deno 10 ms.
    const [ids, ...arrays] = await this.device.readAll([found, ...Object.values(others)]) as [
      Int32Array,
      ...Float32Array[],
    ];
    const values = Object.fromEntries(Object.keys(others).map((name, i) => [name, arrays[i]]));
    const observation = {
      values,
      scores: values.scores,
      ages: this.#ages(ids, B),
      retrieved: await this.#retrieved(ids),
    };
    if (!options.readOnly) await this.bank.write(outputs.keys, outputs.cachedValues);
    return observation;
  }

  /** Contents of a bank. */
  async contents(bank = 0): Promise<BankContents> {
    const { heads: H, headDim: D, capacityChunks: P, chunkTokens: c } = this.bank.shape;
    const { rings, tensors } = await this.bank.save();
    const { first, count } = rings[bank];
    const keys = new Float32Array(H * P * c * D), values = new Float32Array(H * P * c * D);
    const meanKeys = new Float32Array(H * count * D);
    for (let h = 0; h < H; h++) {
      for (let age = 0; age < P; age++) {
        const slot = (first + age) % P, head = bank * H + h;
        const row = (data: Float32Array) => {
          const start = (head * P + slot) * c * D;
          return data.subarray(start, start + c * D);
        };
        keys.set(row(tensors.keys.data), (h * P + age) * c * D);
        values.set(row(tensors.values.data), (h * P + age) * c * D);
        for (let d = 0; d < D && age < count; d++) {
          meanKeys[(h * count + age) * D + d] =
            tensors.meanKeys.data[(head * (D + 1) + d) * P + slot];
        }
      }
    }
    return { keys, values, meanKeys, count };
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await session.close();
    for (const tensor of Object.values(this.#weights)) tensor.dispose();
    this.bank.dispose();
    (await this.#index)?.dispose();
  }

  async #compile(B: number, T: number, padded: boolean): Promise<Session> {
    const { backbone, sideNet, memory } = this.parts;
    const { blockBytes } = this.device;
    const index = await this.#index;
    const graph = new Graph();
    const tokens = graph.input("tokens", [B, T], "int32");
    const bias = attentionBias(graph, {
      heads: backbone.shape.heads,
      contextTokens: T,
      rows: B,
      padded,
    });
    const batch = { rows: B, contextTokens: T, positions: bias, blockBytes };
    const frozen = backboneWeights(graph, backbone.shape);
    const trained = weightInputs(
      graph,
      sideNetTensorShapes(sideNet.shape, backbone.shape),
      sideNetPrefix,
    );
    const base = backboneForward(tokens, frozen, backbone.shape, batch);
    const { shape, storage: { tensors: { keys } } } = this.bank;
    const side = sideNetForward(base, trained, { ...sideNet.shape, backbone: backbone.shape }, {
      ...batch,
      memory: {
        bank: bankInputs(graph, shape, { rows: B, type: keys!.type }),
        missingChunks: memory.missingChunks,
        blockBytes,
        retrieve(queries) {
          const found = retrieve(queries, shape, memory, {
            outside: index !== undefined,
            blockBytes,
          });
          graph.output("query", queries);
          graph.output("ids", found.ids);
          graph.output("scores", found.scores);
          return found;
        },
      },
    });
    const head = (features: Value) =>
      linear(features, frozen("lm_head.weight"), frozen("lm_head.bias"));
    base.hiddenStates.forEach((h, i) => graph.output(`backbone/hidden_states/${i}`, h));
    const { q, k, v } = base.projections[sideNet.shape.memoryBlock];
    graph.output("retrieval_q", q);
    graph.output("keys", k);
    graph.output("cachedValues", v);
    graph.output("backbone/logits", head(base.hiddenStates[backbone.shape.layers]));
    side.hiddenStates.slice(1).forEach((x, i) => graph.output(`sidenet/hidden_states/${i + 1}`, x));
    side.attentionOutputs.forEach((a, i) => graph.output(`sidenet/attn_out/${i}`, a));
    graph.output("sidenet/features", side.features);
    graph.output("logits", head(side.features));

    const reader = memoryLayer(sideNet.shape);
    graph.output("mixed_heads", side.attentionOutputs[reader].node!.inputs[0]!);
    const softmaxes = graph.nodes.filter(({ op, outputs: [y] }) =>
      op === "Softmax" && y.name.startsWith(`sidenet.${reader}/`)
    );
    assert.equal(softmaxes.length, 2, "attention in one block, over the segment and over memory");
    graph.output("local_probs", softmaxes[0].outputs[0]);
    graph.output("memory_probs", softmaxes[1].outputs[0]);
    return compile(
      this.device,
      graph,
      index ? { hostFunctions: { [retrieveFunction]: index.search } } : {},
    );
  }

  #ages(ids: Int32Array, B: number): Int32Array {
    const { capacityChunks: P, heads: H, banks } = this.bank.shape;
    const perBank = ids.length / B;
    return ids.map((id, i) => {
      const bank = banks === 1 ? 0 : Math.floor(i / perBank);
      const head = Math.floor(i * H / perBank) % H;
      const { start, count } = this.bank.occupied[bank];
      const slot = id - (bank * H + head) * P;
      assert.ok(slot >= 0 && slot < P, `id ${id} lies in another head's slots`);
      const age = (slot - start + P) % P;
      return age < count ? age : -1;
    });
  }

  async #retrieved(ids: Int32Array): Promise<{ keys: Float32Array; values: Float32Array }> {
    const { headDim: D, chunkTokens: c } = this.bank.shape;
    const { tensors } = await this.bank.save();
    const gather = (table: Float32Array) => {
      const rows = new Float32Array(ids.length * c * D);
      ids.forEach((id, i) => rows.set(table.subarray(id * c * D, (id + 1) * c * D), i * c * D));
      return rows;
    };
    assert.equal(ids.length % retrievedChunks(this.parts.memory), 0);
    return { keys: gather(tensors.keys.data), values: gather(tensors.values.data) };
  }
}
