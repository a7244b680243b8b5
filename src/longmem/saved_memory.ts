/**
 * Which memory files a model may read: those that it could have written itself.
 */
import { InputError, InputTypeError } from "../errors.ts";
import { capacityChunks, type MemoryConfig } from "../memory/config.ts";
import type { MemoryDescription, MemoryFile, RememberedText } from "../memory/memory_file.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { banksOf, type LongMemParts } from "./parts.ts";

/** Labels of a memory file that the model does not know. */
export interface SaveMemoryOptions {
  /** Tokenizer of the token ids, by whose hash readers compare theirs. */
  readonly tokenizer?: Pick<Tokenizer, "hash">;
  /** The texts that the memory has read since it was emptied, in order. */
  readonly texts?: readonly RememberedText[];
  /**
   * Whether a memory file that is there already is added to, where its chunks are the oldest of this memory: only the others are
   * written, at its end, and a process that is killed leaves what was there. Where some of its chunks are gone, and by default, the
   * file is written as a whole. A file that another process writes, or has changed since this model read or wrote it, is an
   * error.
   */
  readonly append?: boolean;
}

/**
 * The block whose keys and values a model remembers.
 *
 * @throws TypeError where it has no memory, or memories that no file holds: of several blocks, of one that is trained, or of which
 * a window holds tokens back.
 */
export function memoryOwner(parts: LongMemParts, action: "save" | "restore"): number {
  const refuse = (reason: string) => new InputTypeError(`Cannot ${action} the memory as ${reason}`);
  if (!parts.memory) throw refuse("the model has none");
  const { blocks: [block], unshared } = banksOf(parts);
  if (unshared) throw refuse(unshared);
  if (parts.heldTokens) throw refuse("a sliding window holds tokens back from it");
  if (block === undefined) throw refuse("there is no SideNet that would read it");
  return block;
}

/**
 * Checks that a model would have written the contents of a memory file. The retrieval may differ: the SideNet,
 * `retrievedTokens`, `missingChunks`, `positions`, the index; and a larger capacity.
 *
 * @throws InputError with everything that differs.
 */
export function checkWriter(
  { path, description }: MemoryFile,
  model:
    & Pick<MemoryDescription, "backbone" | "block" | "tokenizer" | "heads" | "headDim">
    & { readonly memory: MemoryConfig },
): void {
  const { backbone, block, tokenizer, memory, banks, heads, headDim } = description;
  const differences: string[] = [];
  const compare = (what: string, current: string | number, allowed: string | number) => {
    if (current !== allowed) {
      differences.push(`${what} is ${current} in the file and ${allowed} in this model`);
    }
  };
  compare("SHA-256 of the backbone's weights", backbone, model.backbone);
  compare("the remembered block", block, model.block);
  compare("the number of heads", heads, model.heads);
  compare("the size of a head", headDim, model.headDim);
  if (tokenizer !== undefined && model.tokenizer !== undefined) {
    compare("SHA-256 of the tokenizer", tokenizer, model.tokenizer);
  }
  compare("memory.chunkTokens", memory.chunkTokens, model.memory.chunkTokens);
  compare("memory.storage", memory.storage, model.memory.storage);
  compare("memory.bank", memory.bank, model.memory.bank);
  const chunks = Math.max(...banks.map(({ chunks }) => chunks));
  const capacity = capacityChunks(model.memory);
  if (chunks > capacity) {
    differences.push(
      `the file has ${chunks} chunks and memory.capacityTokens of this model is ${model.memory.capacityTokens}, ` +
        `which is room for ${capacity}`,
    );
  }
  if (differences.length === 0) return;
  throw new InputError(
    `Cannot restore the memory of "${path}" as another model wrote it: ${differences.join("; ")}`,
  );
}

/** Rejects a source that is neither a path nor bytes, such as the arrays that earlier versions returned. */
export function checkMemorySource(source: unknown): asserts source is string | Uint8Array {
  if (typeof source === "string" || source instanceof Uint8Array) return;
  const isOld = typeof source === "object" && source !== null && "rings" in source;
  throw new InputTypeError(
    isOld
      ? "Cannot restore the memory from the arrays of an earlier version as they do not say which model wrote them: " +
        "allowed are files of saveMemory() and bytes of memoryBytes()"
      : `Cannot restore the memory as it must be the path of a memory file or its bytes: current type is ${typeof source}`,
  );
}
