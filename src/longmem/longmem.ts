import { cachedInputs, maskedInputs } from "../backbone/attention_bias.ts";
import { architectureOf, bankHeads } from "../backbone/architectures.ts";
import { backbonePrefix } from "../backbone/backbone_graph.ts";
import type { BackboneCheckpoint } from "../backbone/shape.ts";
import type { Graph } from "../graph/graph.ts";
import { mostLikely } from "../graph/ops/most_likely.ts";
import { targetRank } from "../graph/ops/target_rank.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { checkMemoryConfig, type MemoryConfig } from "../memory/config.ts";
import type { OutsideIndex } from "../memory/index/chunk_index.ts";
import { MemoryBank, type SavedBank } from "../memory/memory_bank.ts";
import { followBank, retrieveFunction } from "../memory/retriever.ts";
import { compile } from "../runtime/compile.ts";
import type { Device, DeviceTensor, Session, Tensors } from "../runtime/device.ts";
import { allowedWords } from "../did_you_mean.ts";
import type { TensorMap } from "../tensor.ts";
import { checkTokenIds } from "../text/tokenizer.ts";
import {
  type BlockMemory,
  blockPrefix,
  buildForward,
  headBlocks,
  headLogits,
  headLoss,
  memorizingPrefix,
  segmentKeys,
  sideNetPrefix,
} from "./forward_graph.ts";
import type { MemorizingCheckpoint } from "./memorizing_transformer.ts";
import { hasInnerPadding, maskOf, type Padding, type RowRange, rowRanges } from "./padding.ts";
import { SegmentCache } from "./segment_cache.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";
import type { SideNetCheckpoint } from "./sidenet_shape.ts";

/** What a pass computes. */
type Want = "logits" | "nll" | "choices" | "retrieved" | "cache";

/**
 * Which part of the model answers: the backbone alone, the SideNet without memory, or with it. The others are baselines:
 * the backbone alone, whose blocks read memories of their own, and the backbone with trained blocks, one of which reads one.
 */
export type Network = "backbone" | "sidenet" | "longmem" | "infllm" | "memorizing-transformer";

/** Every network, so that a misspelled one is found. */
const networks = Object.keys(
  {
    backbone: true,
    sidenet: true,
    longmem: true,
    infllm: true,
    "memorizing-transformer": true,
  } satisfies Record<Network, true>,
);

/** Every option of a pass, likewise. */
const passOptions = Object.keys(
  { batch: true, readOnly: true, lengths: true, mask: true, network: true } satisfies Record<
    keyof Batch | "network",
    true
  >,
);

/**
 * A batch of segments. Padding is what `lengths` or `mask` says, whatever its ids; only of the official architecture id 1 is
 * padding, too, wherever it stands.
 */
export interface Batch extends Padding {
  /** Rows B; the tokens are [B, T], row by row. */
  batch?: number;
  /** Reads the memory but writes nothing to it. */
  readOnly?: boolean;
}

/** The last tokens of a text that grows; the memory is read and not written. */
export interface TokenWindow {
  /**
   * Appends tokens to the window, from which the first ones leave when it is full.
   *
   * @returns Logits [V] after the last token, as a pass over the whole window would give them.
   * @throws RangeError for no tokens, or ids outside the vocabulary. Where it fails the window stays as it is.
   */
  append(tokens: ArrayLike<number>): Promise<Float32Array>;
  /** Frees what the window holds on the device, once the calls before it have ended. */
  close(): Promise<void>;
}

/** What a window consists of. */
interface WindowState {
  readonly network: Network;
  /** Tokens C that it holds at most. */
  readonly contextTokens: number;
  readonly cache: SegmentCache;
  tokens: Int32Array;
  /** State of the memory with which the cached keys and values of all tokens were computed; absent: they are not cached. */
  cachedWith: number | undefined;
}

/** Whole windows are padded to multiples of this, so that few shapes have to be compiled. */
const windowStep = 32;

/** What passes have in common that one session runs. */
interface PassKind {
  readonly want: Want;
  readonly network: Network;
  /** Rows B. */
  readonly rows: number;
  /** Tokens T of a row. */
  readonly contextTokens: number;
  /** How many of these have a target: the last. */
  readonly scoredTokens: number;
  readonly padded: boolean;
  readonly writes: boolean;
  /** Whether it returns the keys and values of the segment, for a cache. */
  readonly returnsKeys?: boolean;
  /** Tokens C for which the cache that it reads has room; absent: it reads none. */
  readonly cachedTokens?: number;
}

/** What queries retrieve from a memory. */
export interface RetrievedChunks {
  /** Ages of chunks [B, H, T, n], 0 the newest of the row's bank; -1 where there is no chunk left to retrieve. */
  readonly ages: Int32Array;
  /** Heads H. */
  readonly heads: number;
  /** Positions T of a row. */
  readonly positions: number;
  /** Chunks n of a query. */
  readonly chunks: number;
}

/** What a LongMem is made of. */
export interface LongMemParts {
  readonly backbone: BackboneCheckpoint;
  /** Absent: the backbone alone can be asked. */
  readonly sideNet?: SideNetCheckpoint;
  readonly memory?: MemoryConfig;
  /** The memory is that of the backbone's blocks, one for each; not together with a SideNet. */
  readonly blockMemory?: BlockMemory;
  /** The trained part of a Memorizing Transformer, whose memory it is; not together with a SideNet. */
  readonly memorizing?: MemorizingCheckpoint;
}

/**
 * A frozen backbone with a SideNet and a memory, on a device: the model that evaluations and programs use. Every pass
 * retrieves from the memory as the passes before left it, then writes its own keys and values; calls that do not wait
 * for each other run one after the other, in their order.
 */
export class LongMem {
  readonly #sessions = new Map<string, Promise<Session>>();
  readonly #weights: Tensors = {};
  /** One for the SideNet, or one for each block of the backbone; none before the first pass with memory. */
  #banks: MemoryBank[] = [];
  #index: OutsideIndex | undefined;
  #rows: number | undefined;
  /** How often what the memory holds has changed. */
  #memoryChanges = 0;
  /** The last of the calls that follow one another. */
  #last: Promise<unknown> = Promise.resolve();
  /** Set by the first `close`, after which there is nothing to ask. */
  #closing: Promise<void> | undefined;

  readonly #ownsDevice: boolean;

  /** @param options `ownsDevice`: closing the model closes the device, too. */
  constructor(
    readonly device: Device,
    readonly parts: LongMemParts,
    options: { ownsDevice?: boolean } = {},
  ) {
    const readers = [parts.sideNet, parts.blockMemory, parts.memorizing];
    if (readers.filter((reader) => reader !== undefined).length > 1) {
      throw new InputTypeError(
        "Cannot have more than one of a SideNet, block memories and trained blocks as all would have the memory",
      );
    }
    this.#ownsDevice = options.ownsDevice ?? false;
    this.#upload(backbonePrefix, parts.backbone.weights);
    if (parts.sideNet) this.#upload(sideNetPrefix, parts.sideNet.weights);
    if (parts.memorizing) this.#upload(memorizingPrefix, parts.memorizing.weights);
  }

  #upload(prefix: string, weights: TensorMap): void {
    for (const [name, { data, shape }] of weights) {
      this.#weights[prefix + name] = this.device.tensor(data, shape);
    }
  }

  /** Tensors of the weights by their names in graphs. */
  get weights(): Tensors {
    return this.#weights;
  }

  /** Chunks stored in each bank; empty before the first pass with memory. */
  get memoryFillChunks(): number[] {
    return this.bank?.fillChunks ?? [];
  }

  /** The bank, once a pass has made it; that of the first block, where each has one. */
  get bank(): MemoryBank | undefined {
    return this.#banks[0];
  }

  /**
   * Logits of every position.
   *
   * @param tokens Token ids [B, T], row by row.
   * @returns Logits [B, T, V].
   * @throws RangeError for ids outside the vocabulary or a number of tokens that B does not divide.
   */
  async forward(
    tokens: Int32Array,
    options: Batch & { network?: Network } = {},
  ): Promise<{ logits: Float32Array }> {
    const { outputs } = await this.#run("logits", tokens, undefined, options);
    return { logits: await outputs.logits.read() as Float32Array };
  }

  /**
   * Negative log-likelihood of every target, in nats [B, T].
   *
   * @param tokens Token ids [B, T].
   * @param targets The token that follows each, [B, T]; or, where they are fewer, each of the last of a row, [B, n].
   * @returns As many as there are targets.
   */
  async score(
    tokens: Int32Array,
    targets: Int32Array,
    options: Batch & { network?: Network } = {},
  ): Promise<Float32Array> {
    const { outputs } = await this.#run("nll", tokens, targets, options);
    return await outputs.nll.read() as Float32Array;
  }

  /**
   * Scores as `score` does and says, from the same pass, which token of the whole vocabulary the model holds most likely
   * to follow each: the first of equally likely ones; and how many tokens it holds more likely than the target.
   *
   * @param tokens Token ids [B, T].
   * @param targets The token that follows each, [B, T]; or, where they are fewer, each of the last of a row, [B, n].
   * @returns Negative log-likelihoods in nats, the most likely ids, and the ranks of the targets, from 1, as many as there
   * are targets.
   */
  async choose(
    tokens: Int32Array,
    targets: Int32Array,
    options: Batch & { network?: Network } = {},
  ): Promise<{ nll: Float32Array; choices: Int32Array; ranks: Int32Array }> {
    const { outputs } = await this.#run("choices", tokens, targets, options);
    return {
      nll: await outputs.nll.read() as Float32Array,
      choices: await outputs.choices.read() as Int32Array,
      ranks: await outputs.ranks.read() as Int32Array,
    };
  }

  /**
   * Asks the memory, without reading it further or writing to it: which chunks do the queries of a segment find?
   *
   * Slots are used again when chunks leave, so that chunks are told apart by their age: 0 is the one that was written
   * last, 1 the one before, and what has been evicted or reset has no age.
   *
   * @param tokens Token ids [B, T].
   * @returns For every row, head and position the n chunks that it retrieves, best first; at padding, what padding finds.
   * @throws TypeError where there is no SideNet with a memory.
   */
  retrieved(tokens: Int32Array, options: { batch?: number } = {}): Promise<RetrievedChunks> {
    return this.#afterOthers(async () => {
      const request = { ...options, readOnly: true, network: "longmem" } as const;
      const { outputs: { ids, scores } } = await this.#pass(
        "retrieved",
        tokens,
        undefined,
        request,
      );
      const ages = this.bank!.agesOf(
        await ids.read() as Int32Array,
        await scores.read() as Float32Array,
        options.batch ?? 1,
      );
      const [, heads, positions, chunks] = ids.shape;
      return { ages, heads, positions, chunks };
    });
  }

  /**
   * Opens an empty window, for text that grows token by token: a token that is appended alone costs a pass of itself, which
   * reads the cached keys and values of those before. Whole windows are computed again where several tokens come at once; where
   * the memory has been written or reset since; where the blocks have memories of their own; and for every token from the one on
   * with which a full window begins to slide, as what has left it still shows in the keys and values of those that stay.
   *
   * @param options `contextTokens`: tokens that the window holds at most.
   * @throws RangeError where that is not a positive integer; TypeError for a network that the model does not have.
   */
  openWindow(options: { contextTokens: number; network?: Network }): TokenWindow {
    const { contextTokens, network = defaultNetwork(this.parts) } = options;
    checkWords("option", Object.keys(options), ["contextTokens", "network"]);
    checkWords("network", [network], networks);
    checkNetwork(network, "logits", this.parts);
    checkCount("open a window", "contextTokens", contextTokens, 1);
    const window: WindowState = {
      network,
      contextTokens,
      cache: new SegmentCache(this.device, contextTokens),
      tokens: new Int32Array(),
      cachedWith: undefined,
    };
    return {
      append: (tokens) => this.#afterOthers(() => this.#append(window, Int32Array.from(tokens))),
      close: () => {
        // Not one of the calls that a closed model refuses: it may be the window's owner who has closed the model.
        const closed = this.#last.then(() => window.cache.dispose());
        this.#last = closed;
        return closed;
      },
    };
  }

  /** Writes a segment [B, T] to the memory without computing anything else. */
  async remember(
    tokens: Int32Array,
    options: Omit<Batch, "readOnly"> = {},
  ): Promise<void> {
    await this.#run("cache", tokens, undefined, options);
  }

  /** Forgets what the memory holds: all of it, or that of some rows where each has a bank of its own. */
  resetMemory(rows?: readonly number[]): Promise<void> {
    return this.#afterOthers(() => {
      this.#memoryChanges++;
      for (const bank of this.#banks) bank.reset(rows);
      return Promise.resolve();
    });
  }

  /** Copies what the memory holds to the host; undefined where no pass has opened it. Not for memories of blocks. */
  saveMemory(): Promise<SavedBank | undefined> {
    return this.#afterOthers(async () => {
      if (this.parts.blockMemory) {
        throw new TypeError("Cannot save the memories of several blocks");
      }
      return await this.bank?.save();
    });
  }

  /**
   * Puts back what {@linkcode saveMemory} returned, of a model with the same memory.
   *
   * @param options `batch`: rows of the batches that wrote it, and will read it where each has a bank of its own.
   */
  restoreMemory(saved: SavedBank, options: { batch?: number } = {}): Promise<void> {
    return this.#afterOthers(async () => {
      if (!this.parts.memory) {
        throw new InputTypeError("Cannot restore the memory as there is none");
      }
      await this.#openBank(options.batch ?? 1, 0);
      this.#memoryChanges++;
      await this.bank!.restore(saved);
    });
  }

  /**
   * Frees the sessions, weights and memory on the device, once the calls before it have ended; and the device itself if
   * the model opened it. Every later call fails, but for another `close`, which does nothing.
   */
  close(): Promise<void> {
    this.#closing ??= this.#afterOthers(async () => {
      await this.#freeBanks();
      for (const tensor of Object.values(this.#weights)) tensor.dispose();
      if (this.#ownsDevice) await this.device.close();
    });
    return this.#closing;
  }

  /** Frees the memory, and the sessions, which may search its index. */
  async #freeBanks(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).close();
    this.#sessions.clear();
    for (const bank of this.#banks) bank.dispose();
    this.#banks = [];
    this.#index?.dispose();
    this.#index = undefined;
  }

  /** Closes the model where an `await using` declaration ends. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Runs a call once those before it have ended, well or not. */
  #afterOthers<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.#closing) {
      return Promise.reject(new ReferenceError("Cannot use the model as it has been closed"));
    }
    const result = this.#last.then(call, call);
    this.#last = result.catch(() => undefined);
    return result;
  }

  #run(
    want: Want,
    tokens: Int32Array,
    targets: Int32Array | undefined,
    options: Batch & { network?: Network },
  ): Promise<{ outputs: Tensors }> {
    return this.#afterOthers(() => this.#pass(want, tokens, targets, options));
  }

  /** One pass: what it is asked is checked, the memory is read, the graph run, and what it cached written. */
  async #pass(
    want: Want,
    tokens: Int32Array,
    targets: Int32Array | undefined,
    options: Batch & { network?: Network },
  ): Promise<{ outputs: Tensors }> {
    const network = options.network ?? defaultNetwork(this.parts);
    // A misspelled readOnly would write to the memory.
    checkWords("option", Object.keys(options), passOptions);
    checkWords("network", [network], networks);
    const rows = options.batch ?? 1;
    checkTokens(tokens, targets, { rows, vocabSize: this.parts.backbone.shape.vocabSize });
    checkNetwork(network, want, this.parts);
    const contextTokens = tokens.length / rows;
    const scoredTokens = targets ? targets.length / rows : contextTokens;
    const ranges = rowRanges(options, { rows, contextTokens });
    const usesMemory = remembers(network);
    const writes = usesMemory && !options.readOnly;
    if (usesMemory) await this.#openBank(rows, writes ? contextTokens : 0);
    // At the end of rows padding disturbs no score, but logits, keys and values of the pad positions themselves do depend on it.
    const mask = this.#mask(tokens, ranges);
    const padded = (want !== "logits" && want !== "cache") && !writes
      ? hasInnerPadding(mask, rows)
      : mask.includes(0);

    const batch = this.#batchFeeds(tokens, targets, { rows, ...(padded ? { mask } : {}) });
    const kind = { want, network, rows, contextTokens, scoredTokens, padded, writes };
    const outputs = await this.#runGraph(kind, batch);
    const cached = writes ? await this.#write(outputs, ranges) : [];
    // The garbage collector does not see how much of a GPU these hold.
    for (const tensor of [...Object.values(batch), ...cached]) tensor.dispose();
    return { outputs };
  }

  /** Id that is padding wherever it stands, if the backbone's architecture has one. */
  get #padId(): number | undefined {
    return architectureOf(this.parts.backbone.shape).padId;
  }

  /** 1 for each token, 0 for padding: what the caller says, and the architecture's padding id. */
  #mask(tokens: Int32Array, ranges?: readonly RowRange[]): Uint8Array {
    const mask = ranges
      ? maskOf(ranges, tokens.length / ranges.length)
      : new Uint8Array(tokens.length).fill(1);
    const padId = this.#padId;
    if (padId !== undefined) tokens.forEach((id, i) => id === padId && (mask[i] = 0));
    return mask;
  }

  /** Runs the graph of a kind of pass on a batch, the weights and the memory. */
  async #runGraph(kind: PassKind, batch: Tensors): Promise<Tensors> {
    const session = await this.#session(kind);
    const banks = remembers(kind.network) ? this.#banks : [];
    const remembered: Tensors = Object.assign(
      {},
      ...banks.map((bank, i) => bank.inputs(kind.rows, { prefix: this.#prefix(i) })),
    );
    const outputs = await session.run({ ...this.#weights, ...batch, ...remembered });
    for (const bank of banks) await bank.verify();
    return outputs;
  }

  /** Logits [V] after the last token of a window, to which tokens are added. */
  async #append(window: WindowState, added: Int32Array): Promise<Float32Array> {
    checkTokens(added, undefined, { rows: 1, vocabSize: this.parts.backbone.shape.vocabSize });
    if (remembers(window.network)) await this.#openBank(1, 0);
    const { contextTokens: C, cachedWith } = window;
    const all = new Int32Array(window.tokens.length + added.length);
    all.set(window.tokens);
    all.set(added, window.tokens.length);
    const tokens = all.slice(-C);
    const isCached = all.length <= C && added.length === 1 && cachedWith === this.#memoryChanges;
    const { logits, keys } =
      await (isCached ? this.#lastToken(window, tokens) : this.#wholeWindow(window, tokens));
    if (keys) {
      const start = isCached ? tokens.length - 1 : 0;
      window.cache.write(keys, { start, count: tokens.length - start });
      for (const tensor of Object.values(keys)) tensor.dispose();
    }
    // Not before: a window whose pass has failed stays as it is.
    window.tokens = tokens;
    window.cachedWith = keys && this.#memoryChanges;
    return logits;
  }

  /** A pass of a window's last token, which reads the cached keys and values of those before. */
  async #lastToken(
    { network, contextTokens: C, cache }: WindowState,
    tokens: Int32Array,
  ): Promise<{ logits: Float32Array; keys: Tensors }> {
    const { distances, keyBias, position } = cachedInputs(tokens, {
      cachedTokens: C,
      pad: this.#padId,
    });
    const batch: Tensors = {
      tokens: this.device.tensor(tokens.slice(-1), [1, 1]),
      distances: this.device.tensor(distances, [1, C + 1]),
      keyBias: this.device.tensor(keyBias, [1, C + 1]),
      position: this.device.tensor(position, [1, 1]),
    };
    const { logits, ...keys } = await this.#runGraph({
      want: "logits",
      network,
      rows: 1,
      contextTokens: 1,
      scoredTokens: 1,
      padded: false,
      writes: false,
      returnsKeys: true,
      cachedTokens: C,
    }, { ...batch, ...cache.inputs });
    for (const tensor of Object.values(batch)) tensor.dispose();
    return { logits: await logits.read() as Float32Array, keys };
  }

  /** A pass over a window, padded at its end, which causal attention does not see. */
  async #wholeWindow(
    { network, contextTokens: C }: WindowState,
    tokens: Int32Array,
  ): Promise<{ logits: Float32Array; keys: Tensors | undefined }> {
    const T = Math.min(Math.ceil(tokens.length / windowStep) * windowStep, C);
    const filled = new Int32Array(T).fill(this.#padId ?? 0); // any id does, where none is padding
    filled.set(tokens);
    const mask = this.#mask(filled), padded = mask.includes(0);
    const scoredTokens = Math.min(T, windowStep); // among them is the window's last
    const returnsKeys = tokens.length < C && network !== "infllm"; // otherwise no pass would read them
    const batch = this.#batchFeeds(filled, undefined, { rows: 1, ...(padded ? { mask } : {}) });
    const { logits, ...keys } = await this.#runGraph({
      want: "logits",
      network,
      rows: 1,
      contextTokens: T,
      scoredTokens,
      padded,
      writes: false,
      returnsKeys,
    }, batch);
    for (const tensor of Object.values(batch)) tensor.dispose();
    const { vocabSize: V } = this.parts.backbone.shape;
    const last = tokens.length - 1 - (T - scoredTokens);
    return {
      logits: (await logits.read() as Float32Array).slice(last * V, (last + 1) * V),
      keys: returnsKeys ? keys : undefined,
    };
  }

  /** Tensors of a batch by their names in graphs. */
  #batchFeeds(
    tokens: Int32Array,
    targets: Int32Array | undefined,
    { rows, mask }: { rows: number; mask?: Uint8Array },
  ): Tensors {
    const contextTokens = tokens.length / rows;
    const shape = [rows, contextTokens];
    const feeds: Tensors = { tokens: this.device.tensor(Int32Array.from(tokens), shape) };
    if (targets) {
      feeds.targets = this.device.tensor(Int32Array.from(targets), [rows, targets.length / rows]);
    }
    if (mask) {
      const { positions, keyBias } = maskedInputs(mask, { rows, contextTokens });
      feeds.positions = this.device.tensor(positions, shape);
      feeds.keyBias = this.device.tensor(keyBias, shape);
      feeds.position = this.device.tensor(Int32Array.from(positions), shape);
    }
    return feeds;
  }

  /** Writes what a pass cached to each bank; returns the tensors that held it. */
  async #write(outputs: Tensors, ranges?: readonly RowRange[]): Promise<DeviceTensor[]> {
    this.#memoryChanges++;
    const written: DeviceTensor[] = [];
    for (const [i, bank] of this.#banks.entries()) {
      const { [cachedNames(i).keys]: keys, [cachedNames(i).values]: values } = outputs;
      await bank.write(keys, values, ranges);
      written.push(keys, values);
    }
    return written;
  }

  /** @param contextTokens Tokens of a row that are to be written; 0 if none. */
  async #openBank(rows: number, contextTokens: number): Promise<void> {
    const memory = this.parts.memory!;
    const written = (memory.bank === "shared" ? rows : 1) * contextTokens;
    checkMemoryConfig(
      memory,
      written < memory.chunkTokens // fills no chunk: what counts is the smallest that does
        ? { rows: 1, contextTokens: memory.chunkTokens }
        : { rows, contextTokens },
    );
    if (memory.bank === "per-row" && this.#banks.length > 0 && rows !== this.#rows) {
      if (this.#banks.some(({ fillChunks }) => fillChunks.some((count) => count > 0))) {
        throw new InputRangeError(
          `Cannot run ${rows} rows as every row has a memory of its own: allowed is ${this.#rows}, ` +
            'or any number after resetMemory(), or where memory.bank is "shared"',
        );
      }
      await this.#freeBanks(); // empty ones, of another number of rows
    }
    if (this.#banks.length === 0) {
      const { blockMemory, sideNet, memorizing, backbone } = this.parts;
      this.#rows = rows;
      this.#banks = Array.from(
        { length: blockMemory ? backbone.shape.layers : 1 },
        (_, i) =>
          new MemoryBank(this.device, memory, {
            rows,
            ...bankHeads(backbone.shape),
            block: sideNet?.shape.memoryBlock ?? memorizing?.shape.memoryBlock ?? i,
          }),
      );
      if (!blockMemory) this.#index = await followBank(this.#banks[0], this.device, { seed: 1 });
    }
  }

  /** Prefix of a bank's inputs. */
  #prefix(bank: number): string {
    return this.parts.blockMemory ? blockPrefix(bank) : "";
  }

  #session(key: PassKind): Promise<Session> {
    const name = JSON.stringify(key);
    const known = this.#sessions.get(name);
    if (known) return known;
    const session = compile(this.device, this.#graph(key), {
      hostOutputs: ["logits", "nll", "choices", "ranks", "ids", "scores"],
      ...(this.#index ? { hostFunctions: { [retrieveFunction]: this.#index.search } } : {}),
    });
    this.#sessions.set(name, session);
    session.catch(() => this.#sessions.delete(name)); // the caller hears of it; the next call tries again
    return session;
  }

  /** The graph of a kind of pass. */
  #graph(key: PassKind): Graph {
    const { backbone, sideNet, blockMemory, memorizing } = this.parts;
    const { blockBytes } = this.device;
    const [bank] = this.#banks;
    const memory = bank && {
      bank: bank.shape,
      config: bank.config,
      type: bank.storage.tensors.keys.type,
      outside: this.#index !== undefined,
    };
    const forward = buildForward({
      backbone: backbone.shape,
      ...(sideNet && key.network !== "backbone" ? { sideNet: sideNet.shape } : {}),
      ...(key.network === "memorizing-transformer" ? { memorizing: memorizing!.shape } : {}),
      ...(memory && remembers(key.network) && !blockMemory ? { memory } : {}),
      ...(memory && key.network === "infllm"
        ? { blockMemory: { ...memory, ...blockMemory! } }
        : {}),
      rows: key.rows,
      contextTokens: key.contextTokens,
      scoredTokens: key.scoredTokens,
      padded: key.padded,
      ...(key.cachedTokens === undefined ? {} : { cachedTokens: key.cachedTokens }),
      blockBytes,
    });
    const { graph } = forward;
    if (key.want === "logits") graph.output("logits", headLogits(forward));
    if (key.want === "nll" || key.want === "choices") {
      const blocks = headBlocks(forward, { blockBytes });
      graph.output("nll", headLoss(forward, { blocks, frozen: true }));
      if (key.want === "choices") {
        const targets = graph.inputs.get("targets")!;
        graph.output("choices", mostLikely(blocks));
        graph.output(
          "ranks",
          targetRank(blocks, reshape(targets, forward.features.shape.slice(0, 1))),
        );
      }
    }
    if (key.want === "retrieved") {
      const [{ ids, scores }] = forward.retrieved;
      graph.output("ids", ids);
      graph.output("scores", scores);
    }
    if (key.returnsKeys) {
      for (const [name, value] of segmentKeys(forward)) graph.output(name, value);
    }
    if (key.writes) {
      for (const [i, { k, v }] of forward.cached.entries()) {
        graph.output(cachedNames(i).keys, k);
        graph.output(cachedNames(i).values, v);
      }
    }
    return graph;
  }
}

function checkWords(what: string, words: readonly string[], allowed: readonly string[]): void {
  const unknown = words.find((word) => !allowed.includes(word));
  if (unknown !== undefined) {
    throw new InputTypeError(
      `Cannot run as ${what} "${unknown}" is unknown: ${allowedWords(unknown, allowed)}`,
    );
  }
}

/** Checks that tokens are [B, T] and targets the last of each row, all of them of the vocabulary. */
function checkTokens(
  tokens: Int32Array,
  targets: Int32Array | undefined,
  { rows, vocabSize }: { rows: number; vocabSize: number },
): void {
  if (
    !Number.isSafeInteger(rows) || rows < 1 || tokens.length === 0 || tokens.length % rows !== 0
  ) {
    throw new InputRangeError(
      `Cannot run as the tokens must be [batch, T]: current values are ${tokens.length} tokens and batch ${rows}`,
    );
  }
  checkTokenIds(tokens, vocabSize, "run the model");
  if (!targets) return;
  checkTokenIds(targets, vocabSize, "score the targets");
  if (targets.length > tokens.length || targets.length === 0 || targets.length % rows !== 0) {
    throw new InputRangeError(
      `Cannot score as targets must be as many as tokens, or the last of each row: ` +
        `current numbers are ${targets.length} and ${tokens.length} in ${rows} rows`,
    );
  }
}

/** Checks that a model has the parts of a network that is asked. */
function checkNetwork(
  network: Network,
  want: Want,
  { sideNet, memory, blockMemory, memorizing }: LongMemParts,
): void {
  if ((network === "sidenet" || network === "longmem") && !sideNet) {
    throw new InputTypeError(`Cannot run network "${network}" as there is no SideNet`);
  }
  if (network === "memorizing-transformer" && !memorizing) {
    throw new InputTypeError(`Cannot run network "${network}" as there are no trained blocks`);
  }
  if (network === "infllm" && !blockMemory) {
    throw new InputTypeError(`Cannot run network "${network}" as the blocks have no memories`);
  }
  if (remembers(network) && !memory) {
    throw new InputTypeError(`Cannot run network "${network}" as there is no memory`);
  }
  if (want === "cache" && !remembers(network)) {
    throw new InputTypeError("Cannot remember as there is no SideNet or no memory");
  }
}

/** Whether a network reads a memory and writes to it. */
export function remembers(network: Network): boolean {
  switch (network) {
    case "backbone":
    case "sidenet":
      return false;
    case "longmem":
    case "infllm":
    case "memorizing-transformer":
      return true;
    default:
      return network satisfies never;
  }
}

/** The network that all parts of a model make. */
function defaultNetwork({ sideNet, memory, blockMemory, memorizing }: LongMemParts): Network {
  if (sideNet) return memory ? "longmem" : "sidenet";
  if (memorizing) return "memorizing-transformer";
  return blockMemory ? "infllm" : "backbone";
}

/** Names of the outputs that are written to a bank. */
function cachedNames(bank: number): { keys: string; values: string } {
  return { keys: `keys.${bank}`, values: `values.${bank}` };
}

/** @throws RangeError where a number is not an integer from `least`. */
export function checkCount(action: string, name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new InputRangeError(
      `Cannot ${action} as ${name} must be an integer from ${least}: current value is ${value}`,
    );
  }
}
