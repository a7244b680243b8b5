/**
 * Texts longer than the window: what does not fit goes through the window segment by segment into the memory.
 */
import { architectureOf } from "../backbone/architectures.ts";
import { rememberDocument, wholeChunks } from "../longmem/generation.ts";
import type { LongMemModel } from "../longmem/longmem_model.ts";
import type { ServedModel } from "./served_model.ts";

/** Segments are padded to multiples of this, so that few shapes have to be compiled. */
const segmentStep = 32;

export interface PaddedSegment {
  /** Token ids [T]. */
  readonly tokens: Int32Array<ArrayBuffer>;
  /** How many of them are not padding. */
  readonly lengths: readonly [number];
}

/** Pads a segment of at most `contextTokens` tokens. */
export function padSegment(
  model: Pick<LongMemModel, "backboneShape">,
  ids: ArrayLike<number>,
  contextTokens: number,
): PaddedSegment {
  const n = ids.length;
  const T = Math.max(n, Math.min(Math.ceil(n / segmentStep) * segmentStep, contextTokens));
  const tokens = new Int32Array(T).fill(architectureOf(model.backboneShape).padId ?? 0);
  tokens.set(ids);
  return { tokens, lengths: [n] };
}

/**
 * Tokens of a prompt that go to the memory, the first so many: whole chunks, and no more than needed for the rest to fit the
 * window.
 */
export function tokensBeforeWindow(
  tokens: number,
  { contextTokens, chunkTokens }: Pick<ServedModel, "contextTokens" | "chunkTokens">,
): number {
  const surplus = Math.max(0, tokens - contextTokens);
  return Math.ceil(surplus / chunkTokens) * chunkTokens;
}

/** Places at which a text of so many tokens is cut into segments, each of whole chunks but perhaps the last: `[start, end)`. */
export function segmentsOf(
  tokens: number,
  sizes: Pick<ServedModel, "contextTokens" | "chunkTokens">,
): { readonly start: number; readonly end: number }[] {
  const step = wholeChunks(sizes);
  return Array.from({ length: Math.ceil(tokens / step) }, (_, i) => ({
    start: i * step,
    end: Math.min((i + 1) * step, tokens),
  }));
}

/**
 * Writes a text to the memory of a model.
 *
 * @param ids Token ids; of the last segment, those that fill no chunk are left out.
 * @param signal Ends it between two segments.
 */
export async function rememberTokens(
  model: LongMemModel,
  ids: Int32Array,
  { contextTokens, signal }:
    & Pick<ServedModel, "contextTokens">
    & { readonly signal: AbortSignal },
): Promise<void> {
  const padded = {
    memory: model.memory,
    remember(segment: Int32Array) {
      signal.throwIfAborted();
      const { tokens, lengths } = padSegment(model, segment, contextTokens);
      return model.remember(tokens, { lengths });
    },
  };
  await rememberDocument(padded, ids, { contextTokens });
}
