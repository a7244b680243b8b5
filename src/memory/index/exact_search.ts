import { dims } from "../../graph/graph.ts";
import type { DeviceTensor } from "../../runtime/device.ts";
import { compileKernels, runKernels } from "../../runtime/gpu_kernels.ts";
import type { WebGpuDevice } from "../../runtime/webgpu_device.ts";
import type { BankShape } from "../bank_shape.ts";
import { headRuns } from "../head_runs.ts";
import type { OutsideIndex } from "./chunk_index.ts";
import code from "./exact_search.wgsl" with { type: "text" };
import { InputRangeError } from "../../errors.ts";

/** Most chunks of a query that the kernel has workgroup memory for. */
const mostChunks = 512;

/** Queries and slots of one workgroup of the kernel `score`. */
const tile = 64;

/** Sizes of the memory that the invocations of a workgroup share, as exact_search.wgsl names them. */
export interface SharedSizes {
  readonly components: number;
  readonly digitBits: number;
  readonly threads: number;
}

/** Those for most GPUs, and those for OpenGL, which compile in a thirtieth of the time there. */
export const sharedSizes = {
  large: { components: 16, digitBits: 11, threads: 256 },
  small: { components: 4, digitBits: 8, threads: 64 },
} as const satisfies Record<string, SharedSizes>;

/** WebGPU's least limit of workgroups in a dimension. */
const mostWorkgroups = 65_535;

/** Most slots of a head, whose numbers `choose` has 24 bits for. */
const mostSlots = 2 ** 24;

/**
 * Whether {@linkcode createExactSearch} is made for banks of this size; the graph searches the others.
 *
 * @throws RangeError for others whose mean keys lie in several tables, which a graph cannot read.
 */
export function hasExactSearch(
  { banks, heads, capacityChunks: P, chunkTokens: c }: BankShape,
  { retrievedChunks: n, tables }: { retrievedChunks: number; tables: number },
): boolean {
  if (n <= mostChunks && P <= mostSlots) return true;
  if (tables === 1) return false;
  const total = banks * heads, inOneTable = Math.floor(P * Math.ceil(total / tables) / total);
  throw new InputRangeError(
    `Cannot retrieve ${n} of ${P} chunks on this GPU as a graph would, and the memory takes ${tables} buffers: ` +
      `allowed are ${mostChunks} of ${mostSlots} chunks, thus a memory.retrievedTokens of up to ${
        mostChunks * c
      } and a memory.capacityTokens of up to ${mostSlots * c}, or of up to ${
        inOneTable * c
      } in one buffer`,
  );
}

/**
 * Exact retrieval as kernels of our own, for all heads of a bank whose mean keys lie on a GPU. Nodes of a graph can do the
 * same ({@linkcode retrieveExactly}), and do so on other devices; but ONNX Runtime's TopK on a GPU is a bitonic sort of all
 * scores, some 100 passes over [queries, chunks] for 16,384 chunks. Selecting the n best reads them three times.
 *
 * Scores exist for a block of queries at a time. Equal scores: the lower slot comes first, as in the graph.
 *
 * @param options `meanKeys`: [G, H, D+1, P], read at every search; of several tables each has as many heads, the last may have fewer.
 * `blockBytes`: largest size of a block of scores; `shared`: how much memory a workgroup shares (default: as the GPU's compiler can take).
 * @throws Error with the driver's message where the kernels do not compile.
 */
export async function createExactSearch(
  device: WebGpuDevice,
  bank: BankShape,
  options: {
    meanKeys: readonly DeviceTensor[];
    retrievedChunks: number;
    blockBytes: number;
    shared?: SharedSizes;
  },
): Promise<OutsideIndex> {
  const { gpu } = device;
  const { banks: G, heads: H, headDim: D, capacityChunks: P } = bank;
  const { meanKeys, retrievedChunks: n, blockBytes } = options;
  const tableHeads = Math.ceil(G * H / meanKeys.length);
  const runs = headRuns({ start: 0, count: G * H }, tableHeads);

  const { components, digitBits, threads } = options.shared ??
    sharedSizes[device.isOpenGl ? "small" : "large"];
  const tiles = Math.ceil(P / tile), stretches = Math.ceil(tiles / mostWorkgroups);
  const constants = {
    score: {
      ...{ D, P, HEADS: G * H, TABLE_HEADS: tableHeads, STRETCHES: stretches },
      ...{ COMPONENTS: components, QUERY_TILE: 17 * components, KEY_TILE: 16 * components },
    },
    choose: {
      ...{ P, N: n, HEADS: G * H },
      ...{ DIGIT_BITS: digitBits, DIGITS: 2 ** digitBits, THREADS: threads },
    },
  };
  const module = { file: "exact_search.wgsl", code };
  const { score, choose } = await compileKernels(gpu, module, constants);

  let scratch: GPUBuffer | undefined;
  function ranksOf(bytes: number): GPUBuffer {
    if (scratch && scratch.size >= bytes) return scratch;
    scratch?.destroy();
    scratch = gpu.createBuffer({ label: "ranks", size: bytes, usage: GPUBufferUsage.STORAGE });
    return scratch;
  }

  function search([queries]: readonly DeviceTensor[]): Promise<DeviceTensor[]> {
    const { B, T } = dims(queries, "B H T D", { H, D });
    const boundBytes = 4 * B * H * T * Math.max(D, n);
    if (boundBytes > device.bindingBytes) {
      throw new InputRangeError(
        `Cannot retrieve for ${B} x ${T} tokens on this GPU as queries or ids take ${boundBytes} bytes: ` +
          `allowed are ${device.bindingBytes}; smaller batches or device cpu would help`,
      );
    }
    const ids = device.zeros([B, H, T, n], "int32"), scores = device.zeros([B, H, T, n]);
    // A block has heads of one table.
    const ranges = runs.length === 1
      ? [{ table: 0, first: 0, count: B * H }]
      : Array.from({ length: B / G }, (_, b) =>
        runs.map((run) => ({ ...run, first: b * H + run.first }))).flat();
    const blocks = ranges.flatMap(({ table, first, count }) =>
      searchBlocks({ heads: count, contextTokens: T, chunks: P, blockBytes })
        .map((block) => ({ ...block, table, firstHead: first + block.firstHead }))
    );
    const ranks = ranksOf(Math.max(...blocks.map((block) => 4 * block.heads * block.queries * P)));
    for (const block of blocks) {
      const { firstHead, firstQuery } = block, keys = meanKeys[block.table];
      const uniform = Uint32Array.of(firstHead, firstQuery, block.queries, T).buffer;
      runKernels(device, [{
        kernel: score,
        bindings: { 1: queries, 2: keys, 3: ranks },
        groups: [
          Math.ceil(block.queries / tile),
          Math.ceil(tiles / stretches),
          block.heads * stretches,
        ],
      }, {
        kernel: choose,
        bindings: { 4: ranks, 5: ids, 6: scores },
        groups: [block.queries, block.heads, 1],
      }], uniform);
    }
    return Promise.resolve([ids, scores]);
  }

  return {
    search,
    dispose: () => scratch?.destroy(),
  };
}

/** Queries whose scores are computed at once: the same ones of consecutive heads. */
interface SearchBlock {
  readonly firstHead: number;
  readonly heads: number;
  readonly firstQuery: number;
  readonly queries: number;
}

/**
 * Cuts the queries of B*H heads into blocks of at most `blockBytes` of scores, or of one query. Of a head there are enough
 * to fill workgroups, before there are several heads.
 */
export function searchBlocks(
  options: { heads: number; contextTokens: number; chunks: number; blockBytes: number },
): SearchBlock[] {
  const { heads, contextTokens: T, chunks, blockBytes } = options;
  const rows = Math.max(1, Math.floor(blockBytes / (4 * chunks)));
  const headsAtOnce = Math.min(
    heads,
    mostWorkgroups,
    Math.max(1, Math.floor(rows / Math.min(T, tile))),
  );
  const queriesAtOnce = Math.min(T, mostWorkgroups, Math.floor(rows / headsAtOnce));
  // Whole tiles, where there is more than one.
  const queries = queriesAtOnce < T && queriesAtOnce > tile
    ? Math.floor(queriesAtOnce / tile) * tile
    : queriesAtOnce;
  const blocks: SearchBlock[] = [];
  for (let firstHead = 0; firstHead < heads; firstHead += headsAtOnce) {
    for (let firstQuery = 0; firstQuery < T; firstQuery += queries) {
      blocks.push({
        firstHead,
        heads: Math.min(headsAtOnce, heads - firstHead),
        firstQuery,
        queries: Math.min(queries, T - firstQuery),
      });
    }
  }
  return blocks;
}
