/**
 * Looking into a backbone's attention: how much a token attends to another, by block and head.
 */
import type { AttentionBlock } from "../graph/attention_block.ts";
import { Graph, type Value } from "../graph/graph.ts";
import { attentionProbabilities, joinBlocks } from "../graph/ops/attention.ts";
import { mul } from "../graph/ops/mul.ts";
import { reduceSum } from "../graph/ops/reduce_sum.ts";
import { slice } from "../graph/ops/slice.ts";
import { compile } from "../runtime/compile.ts";
import type { Device, Tensors } from "../runtime/device.ts";
import { repeatHeads } from "../graph/ops/repeat_heads.ts";
import {
  backboneForward,
  backbonePositions,
  backbonePrefix,
  backboneWeights,
} from "./backbone_graph.ts";
import { InputRangeError } from "../errors.ts";
import type { BackboneCheckpoint } from "./shape.ts";

/** A token that attends, and one before it, or itself, that it may attend to. */
export interface AttentionPair {
  /** Row of the batch. */
  readonly row: number;
  /** Position of the token that attends. */
  readonly query: number;
  /** Position of the token it may attend to. */
  readonly key: number;
}

/** A backbone whose attention can be looked up. */
export interface AttentionProbe {
  /**
   * The probability with which each pair's query attends to its key, exactly as the backbone's pass over these tokens has it.
   *
   * @param tokens Token ids [B, T], row by row; padding only at the end of rows, where nothing sees it.
   * @param pairs At most one for each query.
   * @returns By block and head, one for each pair.
   * @throws {RangeError} Where a pair lies outside the batch, its key after its query, or a query has two keys.
   */
  attention(tokens: Int32Array, pairs: readonly AttentionPair[]): Promise<Float32Array[][]>;
  /** Frees the graph and the weights on the device, which stays open. */
  close(): Promise<void>;
}

/** Compiles the backbone's own graph for B rows of T tokens, with the probabilities of its attention as outputs. */
export async function openAttentionProbe(
  device: Device,
  { shape, weights }: BackboneCheckpoint,
  batch: { readonly rows: number; readonly contextTokens: number },
): Promise<AttentionProbe> {
  const { rows: B, contextTokens: T } = batch, { blockBytes } = device;
  const graph = new Graph();
  const tokens = graph.input("tokens", [B, T], "int32");
  const selected = graph.input("selected", [B, 1, T, T]);
  const positions = backbonePositions(graph, shape, { ...batch, padded: false });
  const options = { ...batch, positions, blockBytes };
  const { heads } = backboneForward(tokens, backboneWeights(graph, shape), shape, options);
  heads.forEach(({ q, k, windowTokens, softCap }, i) => {
    const bias = (block: AttentionBlock) => positions.block(block, { windowTokens });
    const options = { bias, softCap, blockBytes };
    const parts = attentionProbabilities(q, repeatHeads(k, q.shape[1]), options);
    const attended = parts.map(({ block: { b0, b1, t0, t1 }, probabilities }) => {
      const part = [[b0, b1], [0, 1], [t0, t1], [0, t1]].reduce(
        (x: Value, [start, end], axis) => slice(x, { axis, start, end }),
        selected,
      );
      return reduceSum(mul(probabilities, part), { axes: [-1], keep: true });
    });
    graph.output(`block_${i}`, joinBlocks(parts.map(({ block }) => block), attended));
  });
  const session = await compile(device, graph);
  const tensors = [...weights].map(([name, { data, shape }]) =>
    [backbonePrefix + name, device.tensor(data, shape)] as const
  );
  const held: Tensors = Object.fromEntries(tensors);
  return {
    async attention(tokens, pairs) {
      const selected = new Float32Array(B * T * T), queries = new Set<number>();
      for (const { row, query, key } of pairs) {
        const place = row * T + query;
        if (!(row >= 0 && row < B && key >= 0 && key <= query && query < T) || queries.has(place)) {
          throw new InputRangeError(
            `Cannot look up attention as every query must be one of ${B} rows of ${T} tokens and have one key, not after it: ` +
              `current row, query and key are ${row}, ${query}, ${key}`,
          );
        }
        queries.add(place);
        selected[place * T + key] = 1;
      }
      const inputs: Tensors = {
        tokens: device.tensor(Int32Array.from(tokens), [B, T]),
        selected: device.tensor(selected, [B, 1, T, T]),
      };
      const outputs = await session.run({ ...held, ...inputs });
      const blocks: Float32Array[][] = [];
      for (let i = 0; outputs[`block_${i}`]; i++) {
        const tensor = outputs[`block_${i}`];
        const probabilities = await tensor.read() as Float32Array; // [B, H, T, 1]
        const heads = tensor.shape[1];
        blocks.push(
          Array.from({ length: heads }, (_, h) =>
            Float32Array.from(
              pairs,
              ({ row, query }) => probabilities[(row * heads + h) * T + query],
            )),
        );
      }
      for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.dispose();
      return blocks;
    },
    async close() {
      await session.close();
      for (const tensor of Object.values(held)) tensor.dispose();
    },
  };
}
