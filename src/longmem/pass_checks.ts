/** Checks of the inputs of a model's passes. */
import { allowedWords } from "../did_you_mean.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";
import { checkTokenIds } from "../text/tokenizer.ts";
import type { MemoryRange } from "./explanation.ts";
import { type Network, networks } from "./networks.ts";
import { type LongMemParts, wholeNetwork } from "./parts.ts";
import type { PassOutput } from "./passes.ts";

/** @throws TypeError where a word is none of those that are allowed. */
export function checkWords(
  what: string,
  words: readonly string[],
  allowed: readonly string[],
): void {
  const unknown = words.find((word) => !allowed.includes(word));
  if (unknown !== undefined) {
    throw new InputTypeError(
      `Cannot run as ${what} "${unknown}" is unknown: ${allowedWords(unknown, allowed)}`,
    );
  }
}

/** @throws TypeError where token ids are of another type. */
export function checkIds(action: string, name: string, ids: unknown): void {
  if (ids instanceof Int32Array) return;
  const current = ids?.constructor?.name ?? String(ids);
  throw new InputTypeError(
    `Cannot ${action} as ${name} must be an Int32Array: current is ${current}`,
  );
}

/** Checks that tokens are [B, T] and targets the last of each row, all of them of the vocabulary. */
export function checkTokens(
  tokens: Int32Array,
  targets: Int32Array | undefined,
  { rows, vocabSize }: { rows: number; vocabSize: number },
): void {
  checkIds("run", "tokens", tokens);
  if (targets !== undefined) checkIds("run", "targets", targets);
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
export function checkNetwork(network: Network, want: PassOutput, parts: LongMemParts): void {
  const { part, memory } = networks.get(network);
  if (part && networks.get(wholeNetwork(parts)).part !== part) {
    throw new InputTypeError(`Cannot run network "${network}" as ${part.lack}`);
  }
  if (memory && !parts.memory) {
    throw new InputTypeError(`Cannot run network "${network}" as there is no memory`);
  }
  if (want === "cache" && !memory) {
    throw new InputTypeError("Cannot remember as there is no SideNet or no memory");
  }
}

/** @throws RangeError where a part of a memory is none. */
export function checkMemoryRange({ start, end }: MemoryRange): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end) {
    return;
  }
  throw new InputRangeError(
    `Cannot take a part of the memory as start and end must be integers from 0, in this order: ` +
      `current values are ${start} and ${end}`,
  );
}

/** @throws RangeError where a number is not an integer from `least`. */
export function checkCount(action: string, name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new InputRangeError(
      `Cannot ${action} as ${name} must be an integer from ${least}: current value is ${value}`,
    );
  }
}
