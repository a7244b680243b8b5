import { architectureOf } from "../backbone/architectures.ts";
import { cachedInputs } from "../backbone/attention_bias.ts";
import type { Tensors } from "../runtime/device.ts";
import { type Network, networks } from "./networks.ts";
import type { OpenMemory } from "./open_memory.ts";
import { paddedWindow, paddingMask } from "./padding.ts";
import { batchFeeds, type Passes } from "./passes.ts";
import { SegmentCache } from "./segment_cache.ts";

/** The last tokens of a text that grows; the memory is read and not written. */
export interface TokenWindow {
  /**
   * Appends tokens to the window, from which the first ones leave when it is full.
   *
   * @returns Logits [V] after the last token, as a pass over the whole window would give them.
   * @throws RangeError for no tokens, or ids outside the vocabulary. Where it fails the window stays as it is.
   */
  append(tokens: ArrayLike<number>): Promise<Float32Array>;
  /** Frees the window's tensors on the device, once the calls before it have ended. */
  close(): Promise<void>;
}

/** Tokens of a window, and the keys and values that were computed for them. */
export class WindowState {
  readonly #passes: Passes;
  readonly #network: Network;
  /** Tokens C that it holds at most. */
  readonly #contextTokens: number;
  readonly #cache: SegmentCache;
  #tokens: Int32Array = new Int32Array();
  /** State of the memory with which the cached keys and values of all tokens were computed; absent: they are not cached. */
  #cachedWith: number | undefined;

  constructor(
    passes: Passes,
    { network, contextTokens }: { network: Network; contextTokens: number },
  ) {
    this.#passes = passes;
    this.#network = network;
    this.#contextTokens = contextTokens;
    this.#cache = new SegmentCache(passes.device, contextTokens);
  }

  /**
   * Logits [V] after the last token, once tokens have been added.
   *
   * @param options `memory`: absent, where the network reads none; `changes`: the number of changes of its contents.
   */
  async append(
    added: Int32Array,
    { memory, changes }: { memory: OpenMemory | undefined; changes: number },
  ): Promise<Float32Array> {
    const C = this.#contextTokens;
    const all = new Int32Array(this.#tokens.length + added.length);
    all.set(this.#tokens);
    all.set(added, this.#tokens.length);
    const tokens = all.slice(-C);
    const isCached = all.length <= C && added.length === 1 && this.#cachedWith === changes;
    const { logits, keys } =
      await (isCached ? this.#lastToken(tokens, memory) : this.#wholeWindow(tokens, memory));
    if (keys) {
      const start = isCached ? tokens.length - 1 : 0;
      this.#cache.write(keys, { start, count: tokens.length - start });
      for (const tensor of Object.values(keys)) tensor.dispose();
    }
    // Not before: a window whose pass has failed stays as it is.
    this.#tokens = tokens;
    this.#cachedWith = keys && changes;
    return logits;
  }

  /** Id that is padding wherever it stands, if the backbone's architecture has one. */
  get #padId(): number | undefined {
    return architectureOf(this.#passes.parts.backbone.shape).padId;
  }

  /** A pass of the last token, which reads the cached keys and values of those before. */
  async #lastToken(
    tokens: Int32Array,
    memory: OpenMemory | undefined,
  ): Promise<{ logits: Float32Array; keys: Tensors }> {
    const { device } = this.#passes, C = this.#contextTokens;
    const { distances, keyBias, position } = cachedInputs(tokens, {
      cachedTokens: C,
      pad: this.#padId,
    });
    const batch: Tensors = {
      tokens: device.tensor(tokens.slice(-1), [1, 1]),
      distances: device.tensor(distances, [1, C + 1]),
      keyBias: device.tensor(keyBias, [1, C + 1]),
      position: device.tensor(position, [1, 1]),
    };
    const kind = {
      want: "logits",
      network: this.#network,
      rows: 1,
      contextTokens: 1,
      scoredTokens: 1,
      padded: false,
      writes: false,
      returnsKeys: true,
      cachedTokens: C,
    } as const;
    const { logits, ...keys } = await this.#passes.run(kind, batch, memory, this.#cache.inputs);
    return { logits: await logits.read() as Float32Array, keys };
  }

  /** A pass over the whole window, padded at its end, which causal attention does not see. */
  async #wholeWindow(
    tokens: Int32Array,
    memory: OpenMemory | undefined,
  ): Promise<{ logits: Float32Array; keys: Tensors | undefined }> {
    const { device, parts } = this.#passes, C = this.#contextTokens, network = this.#network;
    const { T, scoredTokens } = paddedWindow(tokens.length, C);
    const filled = new Int32Array(T).fill(this.#padId ?? 0); // any id does, where none is padding
    filled.set(tokens);
    const mask = paddingMask(filled, this.#padId), padded = mask.includes(0);
    const returnsKeys = tokens.length < C && networks.get(network).followsCache; // otherwise no pass would read them
    const batch = batchFeeds(device, { tokens: filled }, {
      rows: 1,
      mask: padded ? mask : undefined,
    });
    const kind = {
      want: "logits",
      network,
      rows: 1,
      contextTokens: T,
      scoredTokens,
      padded,
      writes: false,
      returnsKeys,
    } as const;
    const { logits, ...keys } = await this.#passes.run(kind, batch, memory);
    const { vocabSize: V } = parts.backbone.shape;
    const last = tokens.length - 1 - (T - scoredTokens);
    return {
      logits: (await logits.read() as Float32Array).slice(last * V, (last + 1) * V),
      keys: returnsKeys ? keys : undefined,
    };
  }

  /** Frees the cache. */
  dispose(): void {
    this.#cache.dispose();
  }
}
