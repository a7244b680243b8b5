import { Random } from "../random.ts";
import { checkCount, checkIds, checkWords } from "./pass_checks.ts";
import { InputRangeError } from "../errors.ts";
import type { MemoryConfig } from "../memory/config.ts";
import { firstNonFinite } from "../tensor.ts";
import type { LongMemModel } from "./longmem_model.ts";

/** What {@linkcode generate} continues, and how. */
export interface GenerateOptions {
  /** Token ids to continue; at least one. */
  readonly prompt: ArrayLike<number>;
  /** Tokens to generate at most. */
  readonly tokens: number;
  /** Tokens T of the window: the model sees so many of the last tokens directly, and others only in its memory. */
  readonly contextTokens: number;
  /** Divides the logits (default 1); 0 takes the most probable token each time. */
  readonly temperature?: number;
  /** Draws among the most probable tokens alone, the fewest that have so much probability together (default 1: among all). */
  readonly topP?: number;
  /** Seed of the sampling (default 1). */
  readonly seed?: number | string;
  /** Whether an id may be generated (default every one). */
  readonly allows?: (id: number) => boolean;
  /** Id after which generation ends; it is not part of the result of {@linkcode generate}. */
  readonly end?: number;
  /** Logits [V] after the prompt, where they are known: they save a pass. */
  readonly promptLogits?: Float32Array;
}

/** A token that was generated. */
export interface GeneratedToken {
  /** Its id. */
  readonly id: number;
  /** Logits [V] before temperature, `topP` and `allows`. */
  readonly logits: Float32Array;
}

/** Tokens of the longest segment of whole chunks in a window; of one chunk where even that is longer than the window. */
export function wholeChunks(
  { contextTokens, chunkTokens }: { contextTokens: number; chunkTokens: number },
): number {
  return Math.max(1, Math.floor(contextTokens / chunkTokens)) * chunkTokens;
}

/**
 * Writes a document to the memory of a model, segment by segment.
 *
 * @param document Token ids; tokens at its end that fill no chunk are left out, as always.
 * @param options `contextTokens`: tokens of a segment at most, which has whole chunks; `chunkTokens`: those of a chunk of the memory,
 * which older programs say; `progress`: called after each segment with the number of tokens read so far.
 * @throws TypeError Where the document is no Int32Array, or an option is unknown; RangeError where `contextTokens` is not a
 * positive integer, or `chunkTokens` not the memory's.
 */
export async function rememberDocument(
  model: Pick<LongMemModel, "remember"> & { readonly memory: Pick<MemoryConfig, "chunkTokens"> },
  document: Int32Array,
  options: { contextTokens: number; chunkTokens?: number; progress?: (tokens: number) => void },
): Promise<void> {
  checkWords("option", Object.keys(options), ["contextTokens", "chunkTokens", "progress"]);
  const { chunkTokens } = model.memory, { contextTokens, progress } = options;
  checkCount("remember a document", "contextTokens", contextTokens, 1);
  checkIds("remember a document", "it", document);
  if ((options.chunkTokens ?? chunkTokens) !== chunkTokens) {
    throw new InputRangeError(
      `Cannot remember a document as chunkTokens must be that of the memory: current value is ${options.chunkTokens}, ` +
        `allowed is ${chunkTokens}`,
    );
  }
  const T = wholeChunks({ contextTokens, chunkTokens });
  for (let start = 0; start < document.length; start += T) {
    await model.remember(document.subarray(start, start + T));
    progress?.(Math.min(start + T, document.length));
  }
}

/**
 * Generates tokens one by one, each from the window's last position. The memory is read and not written: tokens that leave the
 * window are forgotten, earlier memories stay. Keys and values are cached while prompt and generated tokens fit
 * the window; from then on a token takes a pass over all of it.
 *
 * @returns The ids in order; equal models, memories and options give equal ids.
 * @throws RangeError Where an option is out of range, no id is allowed, or a logit is not finite.
 *
 * @example A random model with a document in its memory
 * ```ts
 * import assert from "node:assert/strict";
 * import { generate, initializeBackbone, loadLongMem, rememberDocument } from "@longmem/lab";
 *
 * const shape = { layers: 4, hiddenDim: 16, heads: 2, feedForwardDim: 64, vocabSize: 50 };
 * const model = await loadLongMem({
 *   backbone: { shape, weights: initializeBackbone(shape, 1) }, // or the path of a checkpoint
 *   memory: { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8 },
 *   device: "cpu",
 * });
 * const document = Int32Array.from({ length: 40 }, (_, t) => 4 + t); // from a tokenizer
 * await rememberDocument(model, document, { contextTokens: 16 });
 *
 * const ids: number[] = [];
 * const options = { prompt: [0, 5, 6], tokens: 8, contextTokens: 16, seed: 7 };
 * for await (const id of generate(model, options)) ids.push(id);
 * assert.equal(ids.length, 8);
 * assert.deepEqual(await Array.fromAsync(generate(model, options)), ids);
 * await model.close();
 * ```
 */
export async function* generate(
  model: Pick<LongMemModel, "openWindow">,
  options: GenerateOptions,
): AsyncGenerator<number, void> {
  for await (const { id } of generateTokens(model, options)) {
    if (id !== options.end) yield id;
  }
}

/** Generates as {@linkcode generate} does, and says from which logits each token was drawn; the end id is the last one. */
export async function* generateTokens(
  model: Pick<LongMemModel, "openWindow">,
  options: GenerateOptions,
): AsyncGenerator<GeneratedToken, void> {
  checkWords("option", Object.keys(options), optionNames);
  const { tokens, contextTokens, promptLogits, end } = options;
  const { temperature = 1, topP = 1, seed = 1, allows = () => true } = options;
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw new InputRangeError(
      `Cannot generate as temperature must be 0 or more: current value is ${temperature}`,
    );
  }
  if (!(topP > 0 && topP <= 1)) {
    throw new InputRangeError(
      `Cannot generate as topP must be above 0, and at most 1: current value is ${topP}`,
    );
  }
  checkCount("generate", "tokens", tokens, 0);
  checkCount("generate", "contextTokens", contextTokens, 1);
  const prompt = Array.from(options.prompt ?? []);
  if (prompt.length === 0) throw new InputRangeError("Cannot generate as the prompt has no token");
  const random = new Random(`generate/${seed}`);
  const window = model.openWindow({ contextTokens });
  try {
    let unread = prompt;
    for (let generated = 0; generated < tokens; generated++) {
      const isKnown = generated === 0 && promptLogits !== undefined;
      const logits = isKnown ? promptLogits : await window.append(unread); // [V]
      const bad = firstNonFinite(logits);
      if (bad !== undefined) {
        throw new InputRangeError(
          `Cannot generate token ${generated} as the model's logits must be finite: current value is ${
            logits[bad]
          } for id ${bad}, after ${prompt.length + generated} tokens`,
        );
      }
      const id = sample(logits, { temperature, topP, random, allows });
      yield { id, logits };
      if (id === end) return;
      unread = isKnown ? [...prompt, id] : [id];
    }
  } finally {
    await window.close();
  }
}

/** The names of all options. */
const optionNames = Object.keys(
  {
    prompt: 0,
    tokens: 0,
    contextTokens: 0,
    temperature: 0,
    topP: 0,
    seed: 0,
    allows: 0,
    end: 0,
    promptLogits: 0,
  } satisfies Record<keyof GenerateOptions, 0>,
);

function sample(
  logits: Float32Array,
  { temperature, topP, random, allows }: {
    temperature: number;
    topP: number;
    random: Random;
    allows: (id: number) => boolean;
  },
): number {
  let best = -1;
  for (let id = 0; id < logits.length; id++) {
    if (allows(id) && (best < 0 || logits[id] > logits[best])) best = id;
  }
  if (best < 0) throw new InputRangeError("Cannot generate as no id is allowed");
  if (temperature === 0) return best;
  const weights = Float64Array.from(
    logits,
    (logit, id) => allows(id) ? Math.exp((logit - logits[best]) / temperature) : 0,
  );
  if (topP < 1) keepMostProbable(weights, topP);
  let rest = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  for (let id = 0; id < weights.length; id++) {
    rest -= weights[id];
    if (rest < 0) return id;
  }
  return best; // rounding left nothing
}

/** Sets all weights to 0 but the largest, the fewest that are a share of `topP` of all; of equal ones the first. */
function keepMostProbable(weights: Float64Array, topP: number): void {
  const order = Uint32Array.from(weights, (_, id) => id)
    .sort((a, b) => weights[b] - weights[a] || a - b);
  const most = topP * weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  for (const id of order) {
    if (sum >= most) weights[id] = 0;
    else sum += weights[id];
  }
}
