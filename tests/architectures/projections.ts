/** Keys and values of a block by a plain pass, which tests compare memories with. */
import { backbonePrefix } from "../../src/backbone/backbone_graph.ts";
import type { BackboneCheckpoint, BackboneShape } from "../../src/backbone/shape.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { buildForward } from "../../src/longmem/forward_graph.ts";
import type { ForwardOptions } from "../../src/longmem/network.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device, Session, Tensors } from "../../src/runtime/device.ts";
import type { TensorMap } from "../../src/tensor.ts";

/** Sizes of one row. */
export function sizes(
  device: Device,
  backbone: BackboneShape,
  contextTokens: number,
): ForwardOptions {
  const { blockBytes } = device;
  return { network: "backbone", backbone, rows: 1, contextTokens, padded: false, blockBytes };
}

/** Weights by their names in graphs. */
export function weightFeeds(device: Device, prefix: string, weights: TensorMap): Tensors {
  return Object.fromEntries(
    [...weights].map(([name, { data, shape }]) => [prefix + name, device.tensor(data, shape)]),
  );
}

function projectionGraph(
  device: Device,
  shape: BackboneShape,
  contextTokens: number,
  block: number,
): Graph {
  const { graph, backbone } = buildForward(sizes(device, shape, contextTokens));
  const { k, v } = backbone.projections[block];
  graph.output("keys", k);
  graph.output("values", v);
  return graph;
}

/** Key and value projections [N, K*D] of a block, before any rotation. */
export async function projectionTensors(
  device: Device,
  { shape, weights }: BackboneCheckpoint,
  tokens: Int32Array<ArrayBuffer>,
  block: number,
): Promise<Tensors> {
  const graph = projectionGraph(device, shape, tokens.length, block);
  const session = await compile(device, graph);
  const outputs = await session.run({
    ...weightFeeds(device, backbonePrefix, weights),
    tokens: device.tensor(tokens, [1, tokens.length]),
  });
  await session.close();
  return outputs;
}

/** The same on the host, of a block of one backbone: sessions are compiled once for each number of tokens. */
export class Projector implements AsyncDisposable {
  readonly #sessions = new Map<number, Promise<Session>>();

  constructor(
    readonly device: Device,
    readonly backbone: BackboneCheckpoint,
    readonly block: number,
  ) {}

  /** Keys and values [N, K*D] of a segment. */
  async of(
    tokens: Int32Array<ArrayBuffer>,
  ): Promise<{ keys: Float32Array; values: Float32Array }> {
    const { device, backbone, block } = this, N = tokens.length;
    const session = this.#sessions.get(N) ??
      compile(device, projectionGraph(device, backbone.shape, N, block));
    this.#sessions.set(N, session);
    const { keys, values } = await (await session).run({
      ...weightFeeds(device, backbonePrefix, backbone.weights),
      tokens: device.tensor(tokens, [1, N]),
    });
    return { keys: await keys.read() as Float32Array, values: await values.read() as Float32Array };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).close();
  }
}

/** Keys and values on the host, of one segment. */
export async function projections(
  device: Device,
  backbone: BackboneCheckpoint,
  tokens: Int32Array<ArrayBuffer>,
  block: number,
): Promise<{ keys: Float32Array; values: Float32Array }> {
  await using projector = new Projector(device, backbone, block);
  return await projector.of(tokens);
}
