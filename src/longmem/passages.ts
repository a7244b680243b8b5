/**
 * Readings of the memory, as passages: stretches of adjacent chunks.
 */
import type { MemoryRange, MemoryReading } from "./explanation.ts";
import type { LongMemModel } from "./longmem_model.ts";
import { paddedWindow } from "./padding.ts";

/** Adjacent chunks that a position reads. */
export interface Passage extends MemoryRange {
  /** Share of the passage in the output of each head [H]: gate times attention to its tokens. */
  readonly shares: readonly number[];
}

/** Sum of the shares of all heads. */
export function totalShare({ shares }: Pick<Passage, "shares">): number {
  return shares.reduce((sum, share) => sum + share, 0);
}

/** The passages that a position of a segment reads, those that it reads most of first. */
export function passagesOf(reading: MemoryReading, position: number): Passage[] {
  const { heads: H, positions: T, chunks: n, chunkTokens: c, starts, weights, gates } = reading;
  const byStart = new Map<number, number[]>();
  for (let h = 0; h < H; h++) {
    for (let i = 0; i < n; i++) {
      const at = (h * T + position) * n + i;
      if (starts[at] < 0) continue;
      let sum = 0;
      for (let j = at * c; j < (at + 1) * c; j++) sum += weights[j];
      const shares = byStart.get(starts[at]) ?? Array(H).fill(0);
      shares[h] += gates[h] * sum;
      byStart.set(starts[at], shares);
    }
  }
  const passages: { start: number; end: number; shares: number[] }[] = [];
  for (const [start, shares] of [...byStart].sort(([a], [b]) => a - b)) {
    const last = passages.at(-1);
    // Fewer tokens than a chunk lie between chunks of two segments.
    if (last && start - last.end < c) {
      last.end = start + c;
      shares.forEach((share, h) => last.shares[h] += share);
    } else passages.push({ start, end: start + c, shares });
  }
  return passages.sort((a, b) => totalShare(b) - totalShare(a));
}

/** Why a token is likely. */
export interface TokenExplanation {
  /** Probability of the token with the memory. */
  readonly probability: number;
  /** Its probability without the memory: the SideNet sees the window alone. */
  readonly without: number;
  /** Its probability with all of the memory but the passages below, which may tell the same. */
  readonly withoutAll: number;
  /** The passages that the heads read most of, those first that raise the probability most. */
  readonly passages: readonly (Passage & {
    /** Probability of the token with all of the memory but this passage. */
    readonly without: number;
  })[];
}

/**
 * Explains a token by the reads of the position before it: each of the passages that its heads read most is hidden from the
 * memory in turn.
 *
 * @param window Token ids before the token, as many as the model sees at once.
 * @param options `contextTokens`: how many those are at most; `passages`: how many are looked at.
 */
export async function explainToken(
  model: Pick<LongMemModel, "explain">,
  token: number,
  window: Int32Array,
  { contextTokens, passages: most }: { contextTokens: number; passages: number },
): Promise<TokenExplanation> {
  const seen = window.slice(-contextTokens), length = seen.length;
  const { T, scoredTokens } = paddedWindow(length, contextTokens);
  // Causal attention does not see tokens behind the window.
  const tokens = new Int32Array(T).fill(token);
  tokens.set(seen);
  const targets = new Int32Array(scoredTokens).fill(token);
  const last = scoredTokens - 1 - (T - length);
  const read = passagesOf(await model.explain(tokens, targets), length - 1).slice(0, most);
  // Always as many rows, of which some may hide nothing: one shape to compile.
  const nothing = { start: 0, end: 0 };
  const hidden = [read, ...Array.from({ length: most }, (_, i) => read[i] ?? nothing)];
  const { nll, nllWithout, nllHidden } = await model.explain(tokens, targets, { hidden });
  const passages = read.map((passage, i) => ({
    ...passage,
    without: Math.exp(-nllHidden[1 + i][last]),
  }));
  return {
    probability: Math.exp(-nll[last]),
    without: Math.exp(-nllWithout[last]),
    withoutAll: Math.exp(-nllHidden[0][last]),
    passages: passages.sort((a, b) => a.without - b.without),
  };
}

/** Effect of the memory on the tokens of a document, each of which is predicted from those before it. */
export interface DocumentReading {
  /** Probabilities of the tokens with the memory of the segments before theirs, and without; NaN for the first, which nothing predicts. */
  readonly probabilities: Float64Array;
  readonly without: Float64Array;
  /** Passages that the position before each token reads, up to the requested number; empty for the first. */
  readonly passages: readonly (readonly Passage[])[];
  /** Gates of the heads. */
  readonly gates: readonly number[];
}

/**
 * Reads a document segment by segment, each with the memory of those before it, and records the reads of each position. The memory
 * holds the document afterwards, behind its earlier contents.
 *
 * @param options `passages`: how many of a position are noted at most; `progress`: called with the number of tokens read.
 */
export async function inspectDocument(
  model: Pick<LongMemModel, "explain" | "remember">,
  document: Int32Array,
  { contextTokens, chunkTokens, passages: most, progress }: {
    contextTokens: number;
    chunkTokens: number;
    passages: number;
    progress?: (tokens: number) => void;
  },
): Promise<DocumentReading> {
  const N = document.length;
  const probabilities = new Float64Array(N).fill(NaN), without = probabilities.slice();
  const passages: Passage[][] = Array.from({ length: N }, () => []);
  let gates: number[] = [];
  for (let start = 0; start < N - 1; start += contextTokens) {
    const segment = document.subarray(start, Math.min(N - 1, start + contextTokens));
    const reading = await model.explain(
      segment,
      document.subarray(start + 1, start + 1 + segment.length),
    );
    for (let t = 0; t < segment.length; t++) {
      probabilities[start + 1 + t] = Math.exp(-reading.nll[t]);
      without[start + 1 + t] = Math.exp(-reading.nllWithout[t]);
      passages[start + 1 + t] = passagesOf(reading, t).slice(0, most);
    }
    if (reading.gates.some((gate) => gate > 0)) gates = [...reading.gates];
    const read = document.subarray(start, start + contextTokens);
    if (read.length >= chunkTokens) await model.remember(read);
    progress?.(Math.min(start + contextTokens, N));
  }
  return { probabilities, without, passages, gates };
}
