/**
 * Memories that are encoded once. The memory of a text depends only on the frozen backbone, not on trained
 * weights, so that every SideNet beside it, and every question about the text, can read the same.
 */
import { createHash } from "node:crypto";
import type { LongMem } from "../../longmem/longmem.ts";
import { banksOf } from "../../longmem/parts.ts";
import type { SavedBank } from "../../memory/memory_bank.ts";
import type { ScoredLongMem } from "./language_model.ts";
import type { BackboneCheckpoint } from "../../backbone/shape.ts";

/** Bytes that encoded memories take at most on the host; those beyond are encoded each time. */
const defaultMaxBytes = 2 ** 31;

/** The parts of a LongMem that encoding once uses. */
type RememberingLongMem =
  & ScoredLongMem
  & Pick<LongMem, "parts" | "copyMemory" | "putMemory" | "retrieved" | "openWindow">;

/** The memories that one backbone has encoded in this process. */
export class EncodedMemories {
  readonly #backbone: BackboneCheckpoint;
  readonly #maxBytes: number;
  readonly #saved = new Map<string, SavedBank>();
  #bytes = 0;
  /** Bytes of the memory that was copied last. */
  #lastBytes = 0;
  #encoded = 0;

  /** Begins empty; `maxBytes` bounds the size of all memories together (default 2 GiB). */
  constructor(backbone: BackboneCheckpoint, options: { maxBytes?: number } = {}) {
    this.#backbone = backbone;
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
  }

  /** How many texts have been encoded, rather than put back. */
  get encoded(): number {
    return this.#encoded;
  }

  /**
   * A model that encodes only texts that no model of this backbone has encoded before with the same memory. It remembers one
   * text at a time, in batches of one row, and encodes it when it is first asked.
   *
   * @throws {TypeError} If the model has another backbone.
   */
  keep(model: RememberingLongMem): ScoredLongMem {
    if (model.parts.backbone !== this.#backbone) {
      throw new TypeError("Cannot keep the memories of a model that has another backbone");
    }
    if (banksOf(model.parts).unshared) return model;
    /** Segments to read since the memory was emptied; undefined once the model has read them. */
    let waiting: Int32Array[] | undefined;
    const read = async () => {
      if (!waiting) return;
      const segments = waiting;
      waiting = undefined;
      await this.#read(model, segments);
    };
    return {
      async resetMemory(rows) {
        waiting = [];
        await model.resetMemory(rows);
      },
      async remember(tokens, options = {}) {
        const isPlain = !options.mask && !options.lengths && !options.beforeTokens;
        if (waiting && isPlain && (options.batch ?? 1) === 1) {
          waiting.push(tokens.slice());
          return;
        }
        await read();
        await model.remember(tokens, options);
      },
      async score(tokens, targets, options) {
        await read();
        return await model.score(tokens, targets, options);
      },
      async choose(tokens, targets, options) {
        await read();
        return await model.choose(tokens, targets, options);
      },
      async retrieved(tokens, options) {
        await read();
        return await model.retrieved(tokens, options);
      },
      openWindow(options) {
        const window = model.openWindow(options);
        return {
          async append(tokens) {
            await read();
            return await window.append(tokens);
          },
          close: () => window.close(),
        };
      },
    };
  }

  async #read(model: RememberingLongMem, segments: readonly Int32Array[]): Promise<void> {
    if (segments.length === 0) return;
    const { blocks } = banksOf(model.parts);
    const hash = createHash("sha256").update(JSON.stringify([blocks, model.parts.memory]));
    for (const { buffer, byteOffset, byteLength, length } of segments) {
      hash.update(`${length}\n`).update(new Uint8Array(buffer, byteOffset, byteLength));
    }
    const key = hash.digest("hex");
    const known = this.#saved.get(key);
    if (known) return await model.putMemory(known);
    for (const segment of segments) await model.remember(segment);
    this.#encoded++;
    // The first are kept, not the last: evaluations go through their texts from the first to the last, again and again.
    if (this.#bytes + this.#lastBytes > this.#maxBytes) return;
    const saved = await model.copyMemory();
    if (!saved) return;
    const bytes = Object.values(saved.tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
    this.#lastBytes = bytes; // those of a model are all as large
    if (this.#bytes + bytes > this.#maxBytes) return;
    this.#bytes += bytes;
    this.#saved.set(key, saved);
  }
}
