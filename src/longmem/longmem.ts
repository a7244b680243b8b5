import { architectureOf } from "../backbone/architectures.ts";
import { InputError, InputRangeError, InputTypeError } from "../errors.ts";
import { isThere } from "../files.ts";
import { hashFrozen } from "../formats/tensor_hash.ts";
import { checkMemoryConfig } from "../memory/config.ts";
import type { MemoryBank, SavedBank } from "../memory/memory_bank.ts";
import { slotsOf } from "../memory/ring.ts";
import {
  describeBank,
  type MemoryDescription,
  memoryFileParts,
  openMemoryFile,
  updateMemoryFile,
  writeMemoryFile,
} from "../memory/memory_file.ts";
import type { Device, Tensors } from "../runtime/device.ts";
import { explainSegment, type MemoryRange, type MemoryReading } from "./explanation.ts";
import { type Network, networks } from "./networks.ts";
import { OpenMemory } from "./open_memory.ts";
import { hasInnerPadding, paddingMask, rangesBehind, rowRanges } from "./padding.ts";
import { banksOf, type LongMemParts, tellingNetwork, wholeNetwork } from "./parts.ts";
import {
  checkCount,
  checkMemoryRange,
  checkNetwork,
  checkTokens,
  checkWords,
} from "./pass_checks.ts";
import { batchFeeds, Passes, type PassOutput } from "./passes.ts";
import {
  checkMemorySource,
  checkWriter,
  memoryOwner,
  type SaveMemoryOptions,
} from "./saved_memory.ts";
import { type TokenWindow, WindowState } from "./token_window.ts";
import { checkTokenIds, type Tokenizer } from "../text/tokenizer.ts";
import { Batch, Neighbours, RetrievedChunks } from "./longmem_model.ts";
import { Turns } from "../turns.ts";

/** Every option of a pass, so that a misspelled one is found. */
const passOptions = Object.keys(
  {
    batch: true,
    readOnly: true,
    beforeTokens: true,
    lengths: true,
    mask: true,
    network: true,
  } satisfies Record<keyof Batch | "network", true>,
);

/**
 * A frozen backbone with a SideNet and a memory, on a device: the model that evaluations and programs use. Every pass
 * retrieves from the memory as the passes before left it, then writes its own keys and values; calls that do not wait
 * for each other run one after the other, in their order.
 */
export class LongMem {
  readonly #passes: Passes;
  /** Absent before the first pass with memory. */
  #memory: OpenMemory | undefined;
  /** Number of changes of the memory's contents. */
  #memoryChanges = 0;
  /** The memory file that was read or written last, with the SHA-256 that it carried. */
  #file: { readonly path: string; readonly hash: string } | undefined;
  /** The calls that follow one another, those of models with the same weights among them. */
  readonly #turns: Turns;
  /** The model whose weights and sessions these are; absent: its own. */
  readonly #owner: LongMem | undefined;
  /** Set by the first `close`, after which there is nothing to ask. */
  #closing: Promise<void> | undefined;

  readonly #ownsDevice: boolean;

  /**
   * @param options `ownsDevice`: closing the model closes the device, too. `owner`: a model of the same device and parts, which lends
   * its weights and sessions.
   */
  constructor(
    readonly device: Device,
    readonly parts: LongMemParts,
    options: { ownsDevice?: boolean; owner?: LongMem } = {},
  ) {
    if (parts.sideNet && parts.other) {
      throw new InputTypeError(
        `Cannot have a SideNet beside the part of network "${parts.other.network}" as both would have the memory`,
      );
    }
    this.#ownsDevice = options.ownsDevice ?? false;
    this.#owner = options.owner;
    this.#passes = options.owner ? options.owner.#passes : new Passes(device, parts);
    this.#turns = options.owner ? options.owner.#turns : new Turns();
  }

  /** The same weights with another memory; see {@linkcode LongMemModel}. */
  async withOwnMemory({ copied = false }: { copied?: boolean } = {}): Promise<LongMem> {
    this.#checkOpen();
    const saved = copied ? await this.copyMemory() : undefined;
    const owner = this.#owner ?? this;
    const model = new LongMem(this.device, this.parts, { owner });
    if (saved) await model.putMemory(saved, { batch: saved.rings.length });
    return model;
  }

  /** Tensors of the weights by their names in graphs. */
  get weights(): Tensors {
    return this.#passes.weights;
  }

  /** Chunks stored in each bank; empty before the first pass with memory. */
  get memoryFillChunks(): number[] {
    return this.#memory?.fillChunks ?? [];
  }

  /** Tokens that each bank has been given since it was emptied, also those that are no longer in it; empty before the first pass. */
  get rememberedTokens(): number[] {
    const { fillChunks = [], bank } = this.#memory ?? {};
    return fillChunks.map((_, i) => bank!.transcripts?.[i].tokens ?? 0);
  }

  /**
   * Token ids of a part of one row's memory, in order. Chunks that reach into the range are whole; those that have
   * left the memory, and tokens that filled none, are missing.
   */
  rememberedIds(range: MemoryRange): Int32Array<ArrayBuffer> {
    checkMemoryRange(range);
    const { start, end } = range;
    const { bank } = this, transcript = bank?.transcripts?.[0];
    if (!bank || !transcript) return new Int32Array();
    const { capacityChunks, chunkTokens } = bank.shape;
    const ids = Array.from(slotsOf(bank.occupied[0], capacityChunks)).flatMap((slot) => {
      const position = transcript.positionOf(slot);
      return position + chunkTokens > start && position < end ? [...transcript.idsOf(slot)] : [];
    });
    return Int32Array.from(ids);
  }

  /** The bank, once a pass has made it; that of the first block, where each has one. */
  get bank(): MemoryBank | undefined {
    return this.#memory?.bank;
  }

  /** Logits [B, T, V] of every position; see {@linkcode LongMemModel}. */
  async forward(
    tokens: Int32Array,
    options: Batch & { network?: Network } = {},
  ): Promise<{ logits: Float32Array }> {
    const { logits } = await this.#run("logits", tokens, undefined, options);
    return { logits: await logits.read() as Float32Array };
  }

  /** Negative log-likelihood of every target, in nats; see {@linkcode LongMemModel}. */
  async score(
    tokens: Int32Array,
    targets: Int32Array,
    options: Batch & { network?: Network } = {},
  ): Promise<Float32Array> {
    const { nll } = await this.#run("nll", tokens, targets, options);
    return await nll.read() as Float32Array;
  }

  /**
   * Scores as `score` does, and from the same pass returns the most likely ids and the ranks of the targets in the whole vocabulary,
   * from 1, as many as there are targets; see {@linkcode LongMemModel}.
   */
  async choose(
    tokens: Int32Array,
    targets: Int32Array,
    options: Batch & { network?: Network } = {},
  ): Promise<{ nll: Float32Array; choices: Int32Array; ranks: Int32Array }> {
    const { nll, choices, ranks } = await this.#run("choices", tokens, targets, options);
    return {
      nll: await nll.read() as Float32Array,
      choices: await choices.read() as Int32Array,
      ranks: await ranks.read() as Int32Array,
    };
  }

  /**
   * The chunks that the queries of a segment find; see {@linkcode LongMemModel}. Slots are used again when chunks leave, so that
   * chunks are told apart by their age. At padding they are those that padding retrieves.
   */
  retrieved(tokens: Int32Array, options: { batch?: number } = {}): Promise<RetrievedChunks> {
    return this.#afterOthers(async () => {
      const network = tellingNetwork(this.parts, "chunks");
      const request = { ...options, readOnly: true, network };
      const outputs = await this.#pass("retrieved", tokens, undefined, request);
      return await this.#retrieved(outputs, options.batch ?? 1);
    });
  }

  /**
   * Asks the backbone, and a memory of its hidden states for those that are nearest, without reading it further or writing to it.
   *
   * @param tokens Token ids [B, T].
   * @param asked `targets`: the ids [B, T] of which likelihoods are returned; absent: logits are.
   * @returns The backbone's negative log-likelihoods of the targets in nats [B, T], or its logits [B, T, V]; and the ages of the
   * remembered tokens whose states are nearest to each [B, 1, T, n], with {@linkcode Neighbours.closeness}.
   * @throws TypeError where the memory is none of states.
   */
  neighbours(
    tokens: Int32Array,
    { targets, ...options }: Omit<Batch, "readOnly"> & { targets?: Int32Array } = {},
  ): Promise<{ scores: Float32Array; neighbours: Neighbours }> {
    return this.#afterOthers(async () => {
      const network = tellingNetwork(this.parts, "states");
      const request = { ...options, readOnly: true, network };
      const want = targets ? "neighbours" : "logits and neighbours";
      const outputs = await this.#pass(want, tokens, targets, request);
      const { scores, ...retrieved } = await this.#retrieved(outputs, options.batch ?? 1);
      return {
        scores: await (outputs.nll ?? outputs.logits).read() as Float32Array,
        neighbours: { ...retrieved, closeness: scores },
      };
    });
  }

  /** The chunks that a pass retrieved, with their scores. */
  async #retrieved(
    { ids, scores: found }: Tensors,
    rows: number,
  ): Promise<RetrievedChunks & { scores: Float32Array }> {
    const scores = await found.read() as Float32Array;
    const ages = this.bank!.agesOf(await ids.read() as Int32Array, scores, rows);
    const [, heads, positions, chunks] = ids.shape;
    const { fillChunks } = this.bank!;
    const stored = Array.from(
      { length: rows },
      (_, row) => fillChunks[fillChunks.length > 1 ? row : 0],
    );
    return { ages, heads, positions, chunks, stored, scores };
  }

  /**
   * A segment's reads from the memory, and their effect; see {@linkcode LongMemModel}.
   *
   * @throws TypeError where there is no SideNet with a memory; RangeError for ids outside the vocabulary, or a memory of several rows.
   */
  explain(
    tokens: Int32Array,
    targets: Int32Array,
    options: { readonly hidden?: readonly (MemoryRange | readonly MemoryRange[])[] } = {},
  ): Promise<MemoryReading> {
    return this.#afterOthers(async () => {
      const { parts } = this;
      checkWords("option", Object.keys(options), ["hidden"]);
      checkTokens(tokens, targets, { rows: 1, vocabSize: parts.backbone.shape.vocabSize });
      const network = tellingNetwork(parts, "chunks");
      checkNetwork(network, "explained", parts);
      const memory = await this.#openMemory(1, 0);
      const { hidden = [] } = options;
      for (const range of hidden.flat()) checkMemoryRange(range as MemoryRange);
      const model = { passes: this.#passes, memory, network };
      return await explainSegment(model, tokens, targets, hidden);
    });
  }

  /**
   * Opens an empty window, for text that grows token by token: a token that is appended alone costs a pass of itself, which
   * reads the cached keys and values of those before. Whole windows are computed again where several tokens come at once; where
   * the memory has been written or reset since; where the blocks have memories of their own; and for every token from the one on
   * with which a full window begins to slide, as tokens that have left it still affect the keys and values of those that stay.
   *
   * @param options `contextTokens`: tokens that the window holds at most.
   * @throws RangeError where that is not a positive integer; TypeError for a network that the model does not have.
   */
  openWindow(options: { contextTokens: number; network?: Network }): TokenWindow {
    const { contextTokens, network = wholeNetwork(this.parts) } = options;
    checkWords("option", Object.keys(options), ["contextTokens", "network"]);
    checkWords("network", [network], networks.names);
    checkNetwork(network, "logits", this.parts);
    checkCount("open a window", "contextTokens", contextTokens, 1);
    const window = new WindowState(this.#passes, { network, contextTokens });
    const { vocabSize } = this.parts.backbone.shape;
    let isClosed = false;
    return {
      append: (tokens) =>
        this.#afterOthers(async () => {
          if (isClosed) throw new ReferenceError("Cannot use the window as it has been closed");
          checkTokenIds(tokens, vocabSize, "append tokens"); // before fractions are cut off
          const added = Int32Array.from(tokens);
          checkTokens(added, undefined, { rows: 1, vocabSize });
          const memory = networks.get(network).memory ? await this.#openMemory(1, 0) : undefined;
          return await window.append(added, { memory, changes: this.#memoryChanges });
        }),
      // Not one of the calls that a closed model refuses: it may be the window's owner who has closed the model.
      close: () =>
        this.#turns.take(() => {
          isClosed = true;
          return Promise.resolve(window.dispose());
        }),
    };
  }

  /** Writes a segment [B, T] to the memory without computing anything else. */
  async remember(
    tokens: Int32Array,
    options: Omit<Batch, "readOnly"> = {},
  ): Promise<void> {
    await this.#run("cache", tokens, undefined, options);
  }

  /** Clears the memory: all of it, or that of some rows where each has a bank of its own. */
  resetMemory(rows?: readonly number[]): Promise<void> {
    return this.#afterOthers(() => {
      this.#memoryChanges++;
      this.#memory?.reset(rows);
      return Promise.resolve();
    });
  }

  /** Copies the memory's contents to the host; undefined where no pass has opened it. Not for memories of blocks. */
  copyMemory(): Promise<SavedBank | undefined> {
    return this.#afterOthers(async () => {
      if (banksOf(this.parts).several) {
        throw new TypeError("Cannot copy the memories of several blocks");
      }
      if (this.parts.heldTokens) {
        throw new TypeError("Cannot copy a memory of which a window holds tokens back");
      }
      return await this.#memory?.bank.save();
    });
  }

  /**
   * Puts back what {@linkcode copyMemory} returned, of a model with the same backbone and memory: nothing checks that it is.
   *
   * @param options `batch`: rows of the batches that wrote it, and will read it where each has a bank of its own.
   */
  putMemory(saved: SavedBank, options: { batch?: number } = {}): Promise<void> {
    return this.#afterOthers(async () => {
      if (!this.parts.memory) {
        throw new InputTypeError("Cannot put back a memory as the model has none");
      }
      const memory = await this.#openMemory(options.batch ?? 1, 0);
      this.#memoryChanges++;
      await memory.bank.restore(saved);
    });
  }

  /** Writes the memory to a file, atomically; see {@linkcode LongMemModel}. */
  saveMemory(path: string, options: SaveMemoryOptions = {}): Promise<MemoryDescription> {
    return this.#afterOthers(async () => {
      const { bank, labels } = this.#savedMemory(options);
      const known = this.#file?.path === path ? this.#file.hash : undefined;
      const hash = options.append && await isThere(path)
        ? (await updateMemoryFile(path, bank, labels, known)).hash
        : await writeMemoryFile(path, bank, labels);
      this.#file = { path, hash };
      return describeBank(bank, labels);
    });
  }

  /** The bytes that {@linkcode saveMemory} would write. */
  memoryBytes(options: SaveMemoryOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.#afterOthers(async () => {
      const { bank, labels } = this.#savedMemory(options);
      const parts: Uint8Array<ArrayBuffer>[] = [];
      for await (const part of memoryFileParts("the bytes of a memory", bank, labels)) {
        parts.push(part);
      }
      return new Uint8Array(await new Blob(parts).arrayBuffer());
    });
  }

  #savedMemory({ tokenizer, texts = [] }: SaveMemoryOptions) {
    const block = memoryOwner(this.parts, "save");
    if (!this.bank) {
      throw new InputError("Cannot save the memory as nothing has been written to it yet");
    }
    const labels = {
      backbone: hashFrozen(this.parts.backbone.weights),
      block,
      ...(tokenizer && { tokenizer: tokenizer.hash }),
      texts,
    };
    return { bank: this.bank, labels };
  }

  /** Replaces the memory's contents by those of a file; see {@linkcode LongMemModel}. */
  restoreMemory(
    source: string | Uint8Array,
    options: { readonly tokenizer?: Pick<Tokenizer, "hash"> } = {},
  ): Promise<MemoryDescription> {
    return this.#afterOthers(async () => {
      const block = memoryOwner(this.parts, "restore");
      checkMemorySource(source);
      using file = await openMemoryFile(source);
      const { description } = file;
      checkWriter(file, {
        backbone: hashFrozen(this.parts.backbone.weights),
        block,
        memory: this.parts.memory!,
        ...(options.tokenizer && { tokenizer: options.tokenizer.hash }),
        ...banksOf(this.parts),
      });
      const { banks, memory: { bank } } = description;
      const { vocabSize } = this.parts.backbone.shape;
      for (const i of banks.keys()) {
        checkTokenIds(
          (await file.tokens(i)).ids,
          vocabSize,
          `restore the memory of "${file.path}"`,
        );
      }
      const memory = await this.#openMemory(bank === "shared" ? 1 : banks.length, 0);
      this.#memoryChanges++;
      await memory.bank.load(
        banks.map((one, i) => ({ ...one, slices: file.slices(i) })),
      );
      this.#file = typeof source === "string" ? { path: source, hash: file.hash } : undefined;
      return description;
    });
  }

  /**
   * Frees the sessions, weights and memory on the device, once the calls before it have ended; and the device itself if
   * the model opened it. Every later call fails, except another `close`, which does nothing.
   */
  close(): Promise<void> {
    this.#closing ??= this.#turns.take(async () => {
      if (this.#owner) return this.#disposeMemory();
      await this.#closeMemory();
      this.#passes.dispose();
      if (this.#ownsDevice) await this.device.close();
    });
    return this.#closing;
  }

  /** Frees the memory, and the sessions, which may search its index. */
  async #closeMemory(): Promise<void> {
    await this.#passes.closeSessions();
    this.#disposeMemory();
  }

  #disposeMemory(): void {
    this.#memory?.dispose();
    this.#memory = undefined;
  }

  /** Closes the model where an `await using` declaration ends. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Runs a call once those before it have ended, well or not. */
  #afterOthers<Result>(call: () => Promise<Result>): Promise<Result> {
    try {
      this.#checkOpen();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#turns.take(call);
  }

  /** @throws ReferenceError where the model has been closed. */
  #checkOpen(): void {
    if (!this.#closing && !(this.#owner && this.#owner.#closing)) return;
    throw new ReferenceError("Cannot use the model as it has been closed");
  }

  #run(
    want: PassOutput,
    tokens: Int32Array,
    targets: Int32Array | undefined,
    options: Batch & { network?: Network },
  ): Promise<Tensors> {
    return this.#afterOthers(() => this.#pass(want, tokens, targets, options));
  }

  /** One pass: checks its inputs, reads the memory, runs the graph, and writes the cached keys and values. */
  async #pass(
    want: PassOutput,
    tokens: Int32Array,
    targets: Int32Array | undefined,
    options: Batch & { network?: Network },
  ): Promise<Tensors> {
    const network = options.network ?? wholeNetwork(this.parts);
    // A misspelled readOnly would write to the memory.
    checkWords("option", Object.keys(options), passOptions);
    checkWords("network", [network], networks.names);
    const rows = options.batch ?? 1;
    checkTokens(tokens, targets, { rows, vocabSize: this.parts.backbone.shape.vocabSize });
    checkNetwork(network, want, this.parts);
    const contextTokens = tokens.length / rows;
    const scoredTokens = targets ? targets.length / rows : contextTokens;
    const ranges = rowRanges(options, { rows, contextTokens });
    const { beforeTokens = 0 } = options;
    if (
      !(Number.isSafeInteger(beforeTokens) && beforeTokens >= 0 && beforeTokens < contextTokens)
    ) {
      throw new InputRangeError(
        `Cannot run as beforeTokens must be an integer from 0, below the ${contextTokens} tokens of a row: ` +
          `current value is ${beforeTokens}`,
      );
    }
    const usesMemory = networks.get(network).memory !== undefined;
    const writes = usesMemory && !options.readOnly;
    const memory = usesMemory
      ? await this.#openMemory(rows, writes ? contextTokens - beforeTokens : 0)
      : undefined;
    // At the end of rows padding disturbs no score, but logits, keys and values of the pad positions themselves do depend on it.
    const { padId } = architectureOf(this.parts.backbone.shape);
    const mask = paddingMask(tokens, padId, ranges);
    const padded = (want !== "logits" && want !== "cache") && !writes
      ? hasInnerPadding(mask, rows)
      : mask.includes(0);

    const batch = batchFeeds(this.device, { tokens, targets }, {
      rows,
      mask: padded ? mask : undefined,
    });
    const kind = { want, network, rows, contextTokens, scoredTokens, padded, writes };
    const outputs = await this.#passes.run(kind, batch, memory);
    if (writes) {
      this.#memoryChanges++;
      const isHeld = this.parts.heldTokens !== undefined;
      const written = beforeTokens === 0 && !isHeld
        ? ranges
        : rangesBehind(beforeTokens, ranges ?? { rows, contextTokens });
      await memory!.write(outputs, { rows: written, tokens });
    }
    return outputs;
  }

  /** @param contextTokens Tokens of a row that are to be written; 0 if none. */
  async #openMemory(rows: number, contextTokens: number): Promise<OpenMemory> {
    const config = this.parts.memory!;
    const written = (config.bank === "shared" ? rows : 1) * contextTokens;
    checkMemoryConfig(
      config,
      written < config.chunkTokens // fills no chunk: use the smallest batch that does
        ? { rows: 1, contextTokens: config.chunkTokens }
        : { rows, contextTokens },
    );
    if (config.bank === "per-row" && this.#memory && rows !== this.#memory.rows) {
      if (!this.#memory.isEmpty) {
        throw new InputRangeError(
          `Cannot run ${rows} rows as every row has a memory of its own: allowed is ${this.#memory.rows}, ` +
            'or any number after resetMemory(), or where memory.bank is "shared"',
        );
      }
      await this.#closeMemory(); // empty ones, of another number of rows
    }
    this.#memory ??= await OpenMemory.open(this.device, config, {
      ...banksOf(this.parts),
      rows,
      seed: 1,
      heldTokens: this.parts.heldTokens,
    });
    return this.#memory;
  }
}
