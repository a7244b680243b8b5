import type { Device, DeviceTensor, Tensors } from "../runtime/device.ts";
import type { WebGpuDevice } from "../runtime/webgpu_device.ts";
import type { HostTensor } from "../tensor.ts";
import type { BankShape } from "./bank_shape.ts";
import { capacityChunks, type MemoryConfig } from "./config.ts";
import type { BankObserver, FollowedBank } from "./followed_bank.ts";
import type { BankStorage, StoredChunks } from "./bank_storage.ts";
import { createHostStorage } from "./host_storage.ts";
import { bankInputNames, emptyScore } from "./memory_graph.ts";
import { Ring, type SlotRange } from "./ring.ts";
import { type SavedTranscript, Transcript } from "./transcript.ts";
import { countTables, createWebGpuStorage } from "./webgpu_storage.ts";
import { InputRangeError } from "../errors.ts";

/** Contents of a memory, on the host. */
export interface SavedBank {
  /** Of each bank, the slot of its oldest chunk and the number of chunks. */
  readonly rings: readonly { first: number; count: number }[];
  /** Keys and values [G*H*P, c*D] of G banks, H heads and P slots, and the mean keys of chunks [G, H, D+1, P]. */
  readonly tensors: Record<"keys" | "values" | "meanKeys", HostTensor>;
  /** The tokens of each bank; absent where it was given none. */
  readonly transcripts?: readonly SavedTranscript[];
}

/** Consecutive chunks, the oldest first, as files hold them. */
export interface ChunkSlice extends StoredChunks {
  /** Place of the first one among the chunks of its bank. */
  readonly first: number;
  /** Token ids [n, c]. */
  readonly ids: Int32Array;
  /** Tokens that the bank had been given before each chunk [n]. */
  readonly positions: Int32Array;
}

/**
 * Keys and values cached from the frozen backbone (specification sections 5 and 6). Rows of a batch share one bank or have one each;
 * the oldest chunks leave first. Slots form a ring, so that nothing is moved when they leave.
 */
export class MemoryBank implements FollowedBank {
  readonly shape: BankShape;
  readonly storage: BankStorage;
  readonly #rings: Ring[];
  /** The tokens of each bank; absent before a write that says them. */
  #transcripts: readonly Transcript[] | undefined;
  readonly #device: Device;
  readonly #observers: BankObserver[] = [];
  /** Whether something has been written since the last check began. */
  #isUnverified = false;
  /** The last check. */
  #verified: Promise<void> = Promise.resolve();
  /** Which rows have something in memory, [B, 1, 1, 1] each; a GPU would have a new one for every pass. */
  readonly #active = new Map<string, DeviceTensor>();

  constructor(
    device: Device,
    readonly config: MemoryConfig,
    /**
     * `block`: block of the backbone whose keys and values it holds, for messages; `readByGraphs`: whether graphs read them, as
     * `StorageOptions` has it (default false).
     */
    options: {
      rows: number;
      heads: number;
      headDim: number;
      block?: number;
      readByGraphs?: boolean;
    },
  ) {
    const banks = config.bank === "shared" ? 1 : options.rows;
    this.shape = {
      banks,
      heads: options.heads,
      headDim: options.headDim,
      capacityChunks: capacityChunks(config),
      chunkTokens: config.chunkTokens,
    };
    this.#device = device;
    this.#rings = Array.from({ length: banks }, () => new Ring(this.shape.capacityChunks));
    const place = config.place ?? "ram";
    const { block, readByGraphs = false } = options;
    const stored = { type: config.storage, place, block, readByGraphs };
    const gpu = device.kind === "webgpu" ? device as WebGpuDevice : undefined;
    const tables = gpu ? countTables(gpu, this.shape, stored) : 1;
    this.storage = gpu && place === "ram"
      ? createWebGpuStorage(gpu, this.shape, { ...stored, tables })
      : createHostStorage(device, this.shape, { ...stored, tables });
  }

  /** Chunks stored in each bank. */
  get fillChunks(): number[] {
    return this.#rings.map((ring) => ring.count);
  }

  /** Slots of each bank from the oldest chunk to the newest. */
  get occupied(): SlotRange[] {
    return this.#rings.map(({ first, count }) => ({ start: first, count }));
  }

  /**
   * Ages of retrieved chunks, 0 the newest of their bank; -1 where there was none left to retrieve.
   *
   * @param ids Rows of the bank's keys and values, as {@linkcode Retrieved} has them, for batches of `rows` rows [B, H, T, n].
   * @param scores Their scores, likewise.
   */
  agesOf(ids: Int32Array, scores: Float32Array, rows: number): Int32Array<ArrayBuffer> {
    const { capacityChunks: P } = this.shape;
    return Int32Array.from(ids, (id, i) => {
      if (scores[i] < emptyScore / 2) return -1;
      const { first, count } = this.#ringOf(Math.floor(i * rows / ids.length));
      const fromOldest = (id % P - first + P) % P;
      return count - 1 - fromOldest;
    });
  }

  /** The tokens of each bank; undefined before a write that says them, as trainings do not. */
  get transcripts(): readonly Transcript[] | undefined {
    return this.#transcripts;
  }

  /** Lets something follow the contents. */
  observe(observer: BankObserver): void {
    this.#observers.push(observer);
  }

  /** Inputs of a graph for batches of `rows` rows; `prefix` as where the graph declares its inputs. */
  inputs(rows: number, { prefix = "" }: { prefix?: string } = {}): Tensors {
    return {
      ...Object.fromEntries(
        Object.entries(this.storage.tensors).map((
          [name, tensor],
        ) => [prefix + bankInputNames[name as keyof typeof bankInputNames], tensor]),
      ),
      [prefix + bankInputNames.active]: this.#activeRows(rows),
    };
  }

  #activeRows(rows: number): DeviceTensor {
    const active = Float32Array.from({ length: rows }, (_, b) => this.#ringOf(b).count > 0 ? 1 : 0);
    const key = active.join("");
    const known = this.#active.get(key) ?? this.#device.tensor(active, [rows, 1, 1, 1]);
    this.#active.set(key, known);
    return known;
  }

  #ringOf(row: number): Ring {
    return this.#rings[this.shape.banks === 1 ? 0 : row];
  }

  /**
   * Caches the keys and values of a batch, [B*T, E] each: tokens in order, rows one after the other, in chunks; tokens
   * that fill no chunk are lost, in a shared bank once, else once a row.
   *
   * @param options `rows`: tokens of each row that are not padding; absent: all are written. Where it is given, rows share no
   * chunk. `tokens`: their ids [B*T], for the transcript.
   *
   * @throws RangeError if the bank has no room after eviction, or where a number is not finite or beyond float16; the bank is
   * then as it was. On a GPU {@linkcode verify} finds such numbers, and the bank is of no use until it is reset.
   */
  async write(
    keys: DeviceTensor,
    values: DeviceTensor,
    { rows, tokens: ids }: {
      rows?: readonly { readonly start: number; readonly count: number }[] | undefined;
      tokens?: Int32Array | undefined;
    } = {},
  ): Promise<void> {
    const source = await this.storage.take({ keys, values });
    const { banks, chunkTokens: c } = this.shape;
    const N = keys.shape[0];
    const updates = rows ?? Array.from({ length: banks }, () => ({ start: 0, count: N / banks }));
    for (const [row, { start, count: tokens }] of updates.entries()) {
      const bank = banks === 1 ? 0 : row, firstToken = row * N / updates.length + start;
      const coarseDrop = this.config.eviction === "coarse" ? Math.floor(2 * tokens / c) : undefined;
      const { dropped, taken } = this.#rings[bank].advance(Math.floor(tokens / c), { coarseDrop });
      this.#clear(bank, dropped);
      this.storage.write(bank, taken, { ...source, firstToken });
      if (ids) {
        this.#openTranscripts()[bank].write(taken, ids.subarray(firstToken, firstToken + tokens));
      }
      if (this.#observers.length > 0) await this.storage.verify();
      for (const observer of this.#observers) await observer.written(bank, taken);
    }
    this.#isUnverified = true;
  }

  #openTranscripts(): readonly Transcript[] {
    return this.#transcripts ??= this.#rings.map(() => new Transcript(this.shape));
  }

  /**
   * Resolves when everything that was written is known to be finite and in the range of the storage. Callers that return results
   * computed from the memory wait for it; where they call it before the pass, a GPU has answered by the end of the pass.
   *
   * @throws RangeError naming the number out of range, with its size and place.
   */
  verify(): Promise<void> {
    if (this.#isUnverified) {
      this.#isUnverified = false;
      this.#verified = this.storage.verify();
      this.#verified.catch(() => {}); // reported to whoever waits for it
    }
    return this.#verified;
  }

  /**
   * Clears the banks of some rows; of all rows by default. A shared bank forgets all if it has any row.
   *
   * @throws RangeError for a row that has no bank; nothing is forgotten then.
   */
  reset(rows?: readonly number[]): void {
    const isShared = this.config.bank === "shared";
    const unknown = isShared ? undefined : rows?.find((row) => !this.#rings[row]);
    if (unknown !== undefined) {
      throw new InputRangeError(
        `Cannot reset the memory of row ${unknown} as there is none: allowed are 0 to ${
          this.#rings.length - 1
        }`,
      );
    }
    const banks = isShared ? [0] : rows ?? this.#rings.map((_, bank) => bank);
    if (rows?.length === 0) return;
    for (const bank of banks) {
      this.#clear(bank, this.#rings[bank].clear());
      this.#transcripts?.[bank].clear();
    }
    if (this.#rings.every(({ count }) => count === 0)) {
      this.storage.forgive();
      this.#isUnverified = false;
      this.#verified = Promise.resolve();
    }
  }

  #clear(bank: number, slots: SlotRange): void {
    if (slots.count === 0) return;
    for (const observer of this.#observers) observer.cleared(bank, slots);
    this.storage.clear(bank, slots);
  }

  /** Copies everything to the host. */
  async save(): Promise<SavedBank> {
    await this.verify();
    return {
      rings: this.#rings.map(({ first, count }) => ({ first, count })),
      tensors: await this.storage.save(),
      ...(this.#transcripts && { transcripts: this.#transcripts.map((one) => one.save()) }),
    };
  }

  /** Puts back what {@linkcode save} returned for a bank of the same shape. */
  async restore(saved: SavedBank): Promise<void> {
    if (saved.rings.length !== this.#rings.length) {
      throw new RangeError(
        `Cannot restore a memory of ${saved.rings.length} banks: current number is ${this.#rings.length}`,
      );
    }
    this.reset();
    this.storage.restore(saved.tensors);
    saved.transcripts?.forEach((one, bank) => this.#openTranscripts()[bank].restore(one));
    for (const [bank, { first, count }] of saved.rings.entries()) {
      Object.assign(this.#rings[bank], { first, count });
      for (const observer of this.#observers) await observer.written(bank, { start: first, count });
    }
  }

  /**
   * Fills the banks from chunks that come in order, the oldest first, a slice at a time.
   *
   * @param banks Of each bank its number of chunks, the tokens that it was given since it was emptied, and its slices. Where
   * reading one fails, all banks are empty.
   */
  async load(
    banks: readonly {
      readonly chunks: number;
      readonly tokens: number;
      readonly slices: AsyncIterable<ChunkSlice>;
    }[],
  ): Promise<void> {
    this.reset();
    const transcripts = this.#openTranscripts();
    const { chunkTokens: c } = this.shape;
    try {
      for (const [bank, { chunks, tokens, slices }] of banks.entries()) {
        for await (const slice of slices) {
          const { first, positions, ids } = slice;
          this.storage.put(bank, { start: first, count: positions.length }, slice);
          positions.forEach((position, i) => {
            const slotIds = ids.subarray(i * c, (i + 1) * c);
            transcripts[bank].put(first + i, { ids: slotIds, position });
          });
        }
        transcripts[bank].tokens = tokens;
        Object.assign(this.#rings[bank], { first: 0, count: chunks });
        for (const observer of this.#observers) {
          await observer.written(bank, { start: 0, count: chunks });
        }
      }
    } catch (error) {
      this.reset();
      // Of the bank that failed, which has no chunk yet, slots are filled.
      for (const [bank, { chunks }] of banks.entries()) {
        this.storage.clear(bank, { start: 0, count: chunks });
      }
      throw error;
    }
  }

  dispose(): void {
    this.storage.dispose();
    for (const tensor of this.#active.values()) tensor.dispose();
    this.#active.clear();
  }
}
