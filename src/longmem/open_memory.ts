import {
  attendBackwardFunction,
  attendFunction,
  attendToVisibleFunction,
  createChunkAttention,
} from "../memory/chunk_attention.ts";
import { type MemoryConfig, retrievedChunks } from "../memory/config.ts";
import type { OutsideIndex } from "../memory/index/chunk_index.ts";
import { createHostAttention } from "../memory/host_attention.ts";
import { MemoryBank } from "../memory/memory_bank.ts";
import { followBank, retrieveFunction } from "../memory/retriever.ts";
import type { HostFunction } from "../runtime/compile.ts";
import type { Device, DeviceTensor, Tensors } from "../runtime/device.ts";
import { InputError } from "../errors.ts";
import type { WebGpuDevice } from "../runtime/webgpu_device.ts";
import { HeldTokens } from "./held_tokens.ts";
import { blockPrefix, type Forward, type GraphMemory } from "./network.ts";
import type { RowRange } from "./padding.ts";
import type { RememberedBanks } from "./parts.ts";

/** Banks to be opened. */
export interface OpenMemoryOptions extends RememberedBanks {
  /** Rows B of the batches. */
  readonly rows: number;
  /** Seed of an index. */
  readonly seed: number;
  /** Tokens of each row, the last, that are held back: a sliding window still shows them (default 0). */
  readonly heldTokens?: number | undefined;
}

/** The memory of a model on a device: its banks and their indexes, as graphs read and write it. */
export class OpenMemory {
  readonly #index: OutsideIndex | undefined;
  /** Attention to what is found; absent: the graph does it. */
  readonly #attention: OutsideAttention | undefined;
  readonly #several: boolean;
  /** Absent: written tokens are in the banks at once. */
  readonly #held: HeldTokens | undefined;
  readonly #device: Device;

  private constructor(
    device: Device,
    readonly banks: readonly MemoryBank[],
    readonly rows: number,
    { index, attention, several, held }: {
      index: OutsideIndex | undefined;
      attention: OutsideAttention | undefined;
      several: boolean;
      held: HeldTokens | undefined;
    },
  ) {
    this.#device = device;
    this.#index = index;
    this.#attention = attention;
    this.#several = several;
    this.#held = held;
  }

  /** Opens empty banks. */
  static async open(
    device: Device,
    config: MemoryConfig,
    { heads, headDim, softCap, blocks, several, rows, seed, heldTokens = 0 }: OpenMemoryOptions,
  ): Promise<OpenMemory> {
    if (several && config.place === "file" && device.kind !== "cpu") {
      throw new InputError(
        `Cannot keep the memories of several blocks in files on this device, whose graphs cannot read files: ` +
          `current memory.place is "file" and device is ${device.kind}; allowed are memory.place "ram" and device cpu`,
      );
    }
    const sizes = { rows, heads, headDim };
    const banks = blocks.map((block) =>
      new MemoryBank(device, config, { ...sizes, block, readByGraphs: several })
    );
    const index = several ? undefined : await followBank(banks[0], device, { seed });
    const attention = several ? undefined : await openAttention(device, banks[0], { softCap });
    const held = heldTokens > 0 ? new HeldTokens(heldTokens, config) : undefined;
    return new OpenMemory(device, banks, rows, { index, attention, several, held });
  }

  /** The bank; that of the first block, where there are several. */
  get bank(): MemoryBank {
    return this.banks[0];
  }

  /** As graphs read it: banks are all alike. */
  get inGraph(): GraphMemory {
    const { shape, config, storage } = this.bank;
    return {
      bank: shape,
      config,
      type: storage.tensors.keys?.type ?? "float32",
      outside: this.#index !== undefined,
      ...(this.#attention && { attention: this.#attention.by }),
    };
  }

  /** Compile options of graphs that read this memory and no other. */
  get compileOptions(): { hostFunctions: Readonly<Record<string, HostFunction>> } {
    return { hostFunctions: hostFunctionsOf(() => this) };
  }

  /** Computes a host function of graphs that read it: searches the index, or attends to what that has found. */
  compute(name: string, inputs: readonly DeviceTensor[]): Promise<DeviceTensor[]> {
    const compute = name === retrieveFunction
      ? this.#index?.search
      : this.#attention?.functions[name];
    if (!compute) throw new Error(`Graphs compute "${name}" of this memory themselves`);
    return compute(inputs);
  }

  /** Inputs of a graph for batches of `rows` rows. */
  inputs(rows: number): Tensors {
    const inputs = this.banks.map((bank, i) =>
      bank.inputs(rows, { prefix: this.#several ? blockPrefix(i) : "" })
    );
    return Object.assign({}, ...inputs);
  }

  /** Declares the keys and values to be remembered as outputs of a graph. */
  addOutputs({ graph, cached }: Pick<Forward, "graph" | "cached">): void {
    cached.forEach(({ k, v }, i) => {
      const { keys, values } = outputNames(i);
      graph.output(keys, k);
      graph.output(values, v);
    });
  }

  /**
   * Writes a graph's results with these outputs, and frees them: the garbage collector does not see how much of a GPU it
   * holds. Where tokens are held back, those enter that they are followed by enough others.
   *
   * @param options `rows`: tokens of each row that are not padding; absent: all are written. `tokens`: ids of the batch [B, T], for
   * the transcript.
   */
  async write(
    outputs: Tensors,
    options: { rows?: readonly RowRange[] | undefined; tokens?: Int32Array | undefined } = {},
  ): Promise<void> {
    const { written, ...batch } = this.#held
      ? await this.#holdBack(this.#held, outputs, options)
      : { written: outputs, ...options };
    if (!written) return;
    for (const [i, bank] of this.banks.entries()) {
      const { [outputNames(i).keys]: keys, [outputNames(i).values]: values } = written;
      await bank.write(keys, values, batch);
      keys.dispose();
      values.dispose();
    }
  }

  /** Holds the tokens of a batch back; returns those that leave, where there are any, as such outputs. */
  async #holdBack(
    held: HeldTokens,
    outputs: Tensors,
    { rows, tokens }: { rows?: readonly RowRange[] | undefined; tokens?: Int32Array | undefined },
  ): Promise<{ written?: Tensors; rows?: RowRange[]; tokens?: Int32Array }> {
    if (!rows || !tokens) throw new Error("Tokens that are held back have rows and ids");
    const names = this.banks.flatMap((_, i) => Object.values(outputNames(i)));
    const tables = await this.#device.readAll(names.map((name) => outputs[name]));
    const leaving = held.push(tables as Float32Array[], tokens, rows);
    for (const name of names) outputs[name].dispose();
    if (!leaving) return {};
    const { counts, ids } = leaving;
    const entries = leaving.tables.map((data, i) => {
      const tensor = this.#device.tensor(data, [ids.length, data.length / ids.length]);
      return [names[i], tensor] as const;
    });
    return {
      written: Object.fromEntries(entries),
      rows: counts.map((count) => ({ start: 0, count })),
      tokens: ids,
    };
  }

  /** Checks what has been written, as {@linkcode MemoryBank.verify}. */
  async verify(): Promise<void> {
    await Promise.all(this.banks.map((bank) => bank.verify()));
  }

  /** Chunks stored in each bank of rows; of the first block, where there are several. */
  get fillChunks(): number[] {
    return this.bank.fillChunks;
  }

  /** Whether nothing is stored anywhere, nor held back. */
  get isEmpty(): boolean {
    return (this.#held?.isEmpty ?? true) &&
      this.banks.every(({ fillChunks }) => fillChunks.every((count) => count === 0));
  }

  /** Clears the banks of some rows; of all rows by default. */
  reset(rows?: readonly number[]): void {
    this.#held?.clear(this.bank.config.bank === "shared" && rows?.length !== 0 ? undefined : rows);
    for (const bank of this.banks) bank.reset(rows);
  }

  /** Frees the banks and their indexes, after the sessions that search them. */
  dispose(): void {
    for (const bank of this.banks) bank.dispose();
    this.#index?.dispose();
  }
}

/** The host functions of graphs that read a memory: that which `memory` returns when they run. */
export function hostFunctionsOf(memory: () => OpenMemory): Readonly<Record<string, HostFunction>> {
  const names = [
    retrieveFunction,
    attendFunction,
    attendToVisibleFunction,
    attendBackwardFunction,
  ];
  return Object.fromEntries(
    names.map((name) => [name, (inputs) => memory().compute(name, inputs)]),
  );
}

/** Attention outside the graph to the chunks of a bank. */
interface OutsideAttention {
  readonly by: NonNullable<GraphMemory["attention"]>;
  readonly functions: Readonly<Record<string, HostFunction>>;
}

/** Opens it where the device has no keys and values, or a GPU has kernels for it. */
async function openAttention(
  device: Device,
  { shape, config, storage: { hostTables, gpuTables } }: MemoryBank,
  { softCap }: Pick<OpenMemoryOptions, "softCap">,
): Promise<OutsideAttention | undefined> {
  const { chunkTokens, missingChunks } = config;
  const options = {
    headDim: shape.headDim,
    retrievedChunks: retrievedChunks(config),
    chunkTokens,
    masked: missingChunks === "masked",
    softCap,
  };
  if (hostTables) {
    return { by: "host", functions: createHostAttention(device, hostTables, options) };
  }
  if (!gpuTables) return;
  const functions = await createChunkAttention(device as WebGpuDevice, gpuTables, options);
  return { by: "kernels", functions };
}

/** Names of the outputs that are written to a bank. */
function outputNames(bank: number): { keys: string; values: string } {
  return { keys: `keys.${bank}`, values: `values.${bank}` };
}
