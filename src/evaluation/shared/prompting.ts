/**
 * Prompting for evaluations: a model reads a text, segment by segment, and is then asked prompts about it, none of which
 * changes the text it has read. A model's answer depends on the item alone, not on the others in its batch.
 */
import type { PromptedModel } from "./language_model.ts";
import { checkLikelihoods } from "./likelihoods.ts";
import { InputRangeError } from "../../errors.ts";
import type { RetrievedChunks } from "../../longmem/longmem_model.ts";

/** Tokens of which the likelihood is asked, behind a local context. */
export interface Prompt {
  /** Names it in errors; absent: its item and its number do. */
  readonly name?: string;
  /** Local context and scored tokens, one after the other; at least one token is not scored. */
  readonly tokens: Int32Array;
  /** Tokens at the end that are scored. */
  readonly scored: number;
}

/** A text, and prompts about it. */
export interface PromptedItem {
  /** Names it in errors; absent: its number does. */
  readonly name?: string;
  /**
   * Text read first: segments of one length T, the same for all items, of which the last may be shorter where memory is
   * shared, and T another for each item; empty: nothing.
   */
  readonly reading: readonly Int32Array[];
  /** Prompts asked after reading. */
  readonly prompts: readonly Prompt[];
}

/** A model's scores of the scored tokens of a prompt. */
export interface PromptScore {
  /** Negative log-likelihood of each scored token given all before it, in nats. */
  readonly nll: Float32Array;
  /** The most likely token of the whole vocabulary in the place of each scored token. */
  readonly choices: Int32Array;
  /** Rank of each scored token in the whole vocabulary, from 1, where the model says it. */
  readonly ranks?: Int32Array;
  /** Chunks retrieved at the positions before the scored tokens [H, scored, n], where requested. */
  readonly retrieved?: RetrievedChunks;
}

/** How prompts are asked. */
export interface PromptOptions {
  /**
   * Rows side by side. Where `memory` is per-row, each has an item of its own; where it is shared, all ask about the
   * same item, which is read once.
   */
  readonly rows: number;
  /** Whether a row reads for itself alone, or for all. */
  readonly memory: "per-row" | "shared";
  /** Token that stands where a row has no more tokens. */
  readonly pad: number;
  /** Name of the evaluation, for errors. */
  readonly evaluation?: string;
  /** Whether a model that retrieves also reports the retrieved chunks. */
  readonly retrieved?: boolean;
  /** Aborts between batches; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Told after each batch of prompts: prompts asked so far. */
  readonly onPrompts?: (asked: number, total: number) => void;
}

/** Prompts are padded to a multiple of this, so that those of many lengths share a graph. */
const lengthStep = 64;

/**
 * Asks all prompts of all items.
 *
 * @returns For each item, in order, the scores of its prompts, in order.
 * @throws {RangeError} If a prompt has nothing to score, or nothing before it, segments differ in length, or a likelihood is
 * not finite.
 *
 * @example Which of two endings is likelier, with a text in memory
 * ```ts
 * import assert from "node:assert/strict";
 * import { askPrompts, initializeBackbone, languageModel, loadLongMem } from "@longmem/lab";
 *
 * const shape = { layers: 4, hiddenDim: 16, heads: 2, feedForwardDim: 64, vocabSize: 50 };
 * const model = await loadLongMem({
 *   backbone: { shape, weights: initializeBackbone(shape, 1) }, // or the path of a checkpoint
 *   memory: { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8 },
 *   device: "cpu",
 * });
 * const text = [4, 20].map((first) => Int32Array.from({ length: 16 }, (_, t) => first + t));
 * const prompts = [[7, 8], [30, 31]].map((end) => ({ tokens: Int32Array.of(5, 6, ...end), scored: 2 }));
 * const [answers] = await askPrompts(
 *   languageModel("mine", model, "longmem"),
 *   [{ reading: text, prompts }],
 *   { rows: 1, memory: "per-row", pad: 1 },
 * );
 * const nats = answers.map(({ nll }) => nll[0] + nll[1]);
 * assert.ok(nats[0] > 0 && nats[0] !== nats[1]);
 * await model.close();
 * ```
 */
export async function askPrompts(
  model: PromptedModel,
  items: readonly PromptedItem[],
  options: PromptOptions,
): Promise<PromptScore[][]> {
  checkItems(items, options.memory);
  const total = items.reduce((sum, { prompts }) => sum + prompts.length, 0);
  const scores: PromptScore[][] = items.map(() => []);
  let asked = 0;
  /** Asks one prompt in each row, or none. */
  const ask = async (rows: readonly (Asked | undefined)[]) => {
    const answers = await askBatch(
      model,
      rows.map((row) => row && promptOf(items, row)),
      options,
    );
    rows.forEach((row, i) => {
      if (!row) return;
      scores[row.item][row.prompt] = answers[i]!;
      asked++;
    });
    options.onPrompts?.(asked, total);
  };

  const { rows, memory } = options;
  switch (memory) {
    case "per-row": {
      // Texts of one length side by side, so that no row waits for another.
      const order = [...items.keys()].sort((a, b) =>
        items[b].reading.length - items[a].reading.length || a - b
      );
      for (let start = 0; start < order.length; start += rows) {
        const group = Array.from({ length: rows }, (_, row) => order.at(start + row));
        await readItems(model, group, items, options);
        const prompts = group.map((item) => item === undefined ? 0 : items[item].prompts.length);
        for (let prompt = 0; prompt < Math.max(...prompts); prompt++) {
          await ask(
            group.map((item, row) => prompt < prompts[row] ? { item: item!, prompt } : undefined),
          );
        }
      }
      break;
    }
    case "shared":
      for (const item of items.keys()) {
        await readItems(model, [item], items, options);
        for (const batch of batchesOf(items, [item], rows)) await ask(batch);
      }
      break;
    default:
      memory satisfies never;
  }
  return scores;
}

/** The prompts of some items in batches, long ones first: prompts of about one length side by side have few tokens of padding. */
function batchesOf(
  items: readonly { readonly prompts: readonly { readonly tokens: Int32Array }[] }[],
  group: readonly number[],
  rows: number,
): Asked[][] {
  const order = group.flatMap((item) =>
    items[item].prompts.map(({ tokens }, prompt) => ({ item, prompt, length: tokens.length }))
  ).sort((a, b) => b.length - a.length || a.item - b.item || a.prompt - b.prompt);
  return Array.from(
    { length: Math.ceil(order.length / rows) },
    (_, i) => order.slice(i * rows, (i + 1) * rows),
  );
}

export interface ContinuedPrompt {
  /** Token ids, at least one. */
  readonly tokens: Int32Array;
  /** Tokens of its continuation at most. */
  readonly maxTokens: number;
  /** Whether a continuation ends with these tokens, the last of which was just named. */
  readonly ends: (tokens: readonly number[]) => boolean;
}

/** A text, prompts about it that are scored, and prompts about it that are continued. */
export interface AnsweredItem extends PromptedItem {
  readonly continued: readonly ContinuedPrompt[];
}

/** A model's answers about a text, each in the order of its prompts. */
export interface ItemAnswers {
  readonly scores: readonly PromptScore[];
  /** Continuations, with the token that ended them. */
  readonly continued: readonly (readonly number[])[];
}

/**
 * Scores and continues prompts about texts, each of which is read once, as its prompts share its memory. Continuations are greedy:
 * the most likely token of the whole vocabulary each time. Items before which nothing is read are asked side by side, and of a
 * model that remembers nothing all items.
 *
 * A model that opens windows continues one prompt after the other, with cached keys and values; another takes a pass over its
 * prompts for each token.
 *
 * @returns The answers of each item, in order.
 * @throws {RangeError} As {@linkcode askPrompts} does, and if a prompt to continue is empty.
 */
export async function askAndContinue(
  model: PromptedModel,
  items: readonly AnsweredItem[],
  options: Omit<PromptOptions, "memory">,
): Promise<ItemAnswers[]> {
  const { rows, pad } = options;
  checkItems(items, "shared");
  const asked = items.map(({ continued, ...item }): PromptedItem => ({
    ...item,
    prompts: continued.map(({ tokens }) => ({ tokens: withNext(tokens, [], pad), scored: 1 })),
  }));
  checkItems(asked, "shared");
  const total = items.reduce(
    (sum, { prompts, continued }) => sum + prompts.length + continued.length,
    0,
  );
  const answers = items.map(({ continued }) => ({
    scores: [] as PromptScore[],
    continued: continued.map((): number[] => []),
  }));
  let done = 0;
  const finish = (prompts: number) => options.onPrompts?.(done += prompts, total);
  const continueBatch = async (batch: readonly Asked[]) => {
    let open = batch.filter(({ item, prompt }) => items[item].continued[prompt].maxTokens > 0);
    while (open.length > 0) {
      const named = await askBatch(
        model,
        open.map(({ item, prompt }) => ({
          ...promptOf(asked, { item, prompt }),
          tokens: withNext(
            items[item].continued[prompt].tokens,
            answers[item].continued[prompt],
            pad,
          ),
        })),
        options,
      );
      open.forEach(({ item, prompt }, row) =>
        answers[item].continued[prompt].push(named[row]!.choices[0])
      );
      open = open.filter(({ item, prompt }) => {
        const { maxTokens, ends } = items[item].continued[prompt];
        const tokens = answers[item].continued[prompt];
        return tokens.length < maxTokens && !ends(tokens);
      });
    }
  };

  for (const group of groupsOf(model, items)) {
    if (!model.remembersNothing) await readItems(model, group.slice(0, 1), items, options);
    for (const batch of batchesOf(items, group, rows)) {
      const scored = await askBatch(model, batch.map((row) => promptOf(items, row)), options);
      batch.forEach(({ item, prompt }, row) => answers[item].scores[prompt] = scored[row]!);
      finish(batch.length);
    }
    for (const batch of batchesOf(asked, group, model.openWindow ? 1 : rows)) {
      if (model.openWindow) {
        const [{ item, prompt }] = batch;
        const { text } = promptOf(asked, batch[0]);
        answers[item].continued[prompt] = await continueInWindow(
          model as WindowedModel,
          { ...items[item].continued[prompt], text },
          options,
        );
      } else await continueBatch(batch);
      finish(batch.length);
    }
  }
  return answers;
}

/** Numbers of items whose prompts read the same memory. */
function groupsOf(model: PromptedModel, items: readonly PromptedItem[]): number[][] {
  const numbers = [...items.keys()];
  const alone = (item: number) => !model.remembersNothing && items[item].reading.length > 0;
  const together = numbers.filter((item) => !alone(item));
  return [
    ...(together.length > 0 ? [together] : []),
    ...numbers.filter(alone).map((item) => [item]),
  ];
}

type WindowedModel = PromptedModel & Required<Pick<PromptedModel, "openWindow">>;

/** Continues a prompt with cached keys and values. */
async function continueInWindow(
  model: WindowedModel,
  { tokens, maxTokens, ends, text }: ContinuedPrompt & Pick<NamedPrompt, "text">,
  { evaluation, signal }: Pick<PromptOptions, "evaluation" | "signal">,
): Promise<number[]> {
  const longest = tokens.length + maxTokens - 1; // the last token is not read
  const contextTokens = Math.max(1, Math.ceil(longest / lengthStep)) * lengthStep;
  const window = model.openWindow({ contextTokens });
  try {
    const named: number[] = [];
    let unread: ArrayLike<number> = tokens;
    while (named.length < maxTokens) {
      signal?.throwIfAborted();
      const { id, nats } = mostLikelyOf(await window.append(unread));
      const position = tokens.length + named.length;
      checkLikelihoods(Float32Array.of(nats), { evaluation, model: model.name, text, position });
      named.push(id);
      if (ends(named)) break;
      unread = [id];
    }
    return named;
  } finally {
    await window.close();
  }
}

/** The most likely token by its logits [V], of equally likely ones the first, and its negative log-likelihood. */
function mostLikelyOf(logits: Float32Array): { readonly id: number; readonly nats: number } {
  let id = 0;
  for (let other = 1; other < logits.length; other++) if (logits[other] > logits[id]) id = other;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - logits[id]);
  return { id, nats: Math.log(sum) };
}

/** A prompt with its continuation so far, and a place for the next token, whose value does not matter. */
function withNext(prompt: Int32Array, continued: readonly number[], pad: number): Int32Array {
  return Int32Array.of(...prompt, ...continued, pad);
}

/** A prompt by its numbers. */
interface Asked {
  readonly item: number;
  readonly prompt: number;
}

interface NamedPrompt extends Prompt {
  readonly text: string;
}

function promptOf(items: readonly PromptedItem[], { item, prompt }: Asked): NamedPrompt {
  const { name, prompts } = items[item];
  const owner = name === undefined ? `item ${item}` : `item "${name}"`;
  const asked = prompts[prompt];
  return {
    ...asked,
    text: asked.name === undefined ? `prompt ${prompt} of ${owner}` : `"${asked.name}"`,
  };
}

/** Reads the texts of items side by side; all end together, so that the last of them is read just before the prompts. */
async function readItems(
  model: PromptedModel,
  rows: readonly (number | undefined)[],
  items: readonly PromptedItem[],
  { pad, signal }: Pick<PromptOptions, "pad" | "signal">,
): Promise<void> {
  const readings = rows.map((item) => item === undefined ? undefined : items[item].reading);
  const steps = Math.max(...readings.map((reading) => reading?.length ?? 0));
  for (let step = 0; step <= steps; step++) {
    for (const [row, reading] of readings.entries()) {
      // The row's earlier text, if any, belongs to another item.
      if (reading && step === steps - reading.length) await model.startDocument(row, rows[row]!);
    }
    if (step === steps) break;
    signal?.throwIfAborted();
    const segments = readings.map((reading) => reading?.[step - (steps - reading.length)]);
    const T = segments.find((segment) => segment)!.length;
    const tokens = new Int32Array(rows.length * T).fill(pad);
    segments.forEach((segment, row) => segment && tokens.set(segment, row * T));
    await model.read({
      tokens,
      rows: rows.length,
      lengths: segments.map((segment) => segment?.length ?? 0),
    });
  }
}

/** Asks a prompt in each row, or none, unless that is aborted. */
async function askBatch(
  model: PromptedModel,
  prompts: readonly (NamedPrompt | undefined)[],
  { pad, evaluation, retrieved: asksRetrieved, signal }: Omit<PromptOptions, "memory">,
): Promise<(PromptScore | undefined)[]> {
  signal?.throwIfAborted();
  const longest = Math.max(...prompts.map((prompt) => prompt?.tokens.length ?? 0));
  const T = Math.ceil((longest - 1) / lengthStep) * lengthStep, rows = prompts.length;
  const firstScored = Math.min(
    ...prompts.flatMap((prompt) => prompt ? [prompt.tokens.length - 1 - prompt.scored] : []),
  );
  // With a large vocabulary the logits of a prompt take longer than all else.
  const n = model.asksEnds ? Math.ceil((T - firstScored) / lengthStep) * lengthStep : T;
  const tokens = new Int32Array(rows * T).fill(pad), targets = new Int32Array(rows * n).fill(pad);
  prompts.forEach((prompt, row) => {
    if (!prompt) return;
    tokens.set(prompt.tokens.subarray(0, -1), row * T);
    targets.set(prompt.tokens.subarray(1 + T - n), row * n);
  });
  const lengths = prompts.map((prompt) => prompt ? prompt.tokens.length - 1 : 0);
  const { nll, choices, ranks } = await model.ask({ tokens, targets, rows, lengths });
  const retrieved = asksRetrieved ? await model.retrieves?.({ tokens, rows }) : undefined;
  return prompts.map((prompt, row) => {
    if (!prompt) return undefined;
    const last = prompt.tokens.length - 1;
    const end = row * n + last - (T - n), start = end - prompt.scored;
    const scored = nll.slice(start, end);
    checkLikelihoods(scored, {
      evaluation,
      model: model.name,
      text: prompt.text,
      position: prompt.tokens.length - prompt.scored,
    });
    return {
      nll: scored,
      choices: choices.slice(start, end),
      ...(ranks && { ranks: ranks.slice(start, end) }),
      ...(retrieved && {
        retrieved: retrievedAt(retrieved, row, { start: last - prompt.scored, end: last }),
      }),
    };
  });
}

/** Chunks that some positions of a row retrieve. */
function retrievedAt(
  { ages, heads, positions, chunks, stored }: RetrievedChunks,
  row: number,
  { start, end }: { start: number; end: number },
): RetrievedChunks {
  const ofHeads = Array.from({ length: heads }, (_, h) => {
    const first = (row * heads + h) * positions;
    return [...ages.subarray((first + start) * chunks, (first + end) * chunks)];
  });
  return {
    ages: Int32Array.from(ofHeads.flat()),
    heads,
    positions: end - start,
    chunks,
    stored: [stored[row]],
  };
}

function checkItems(items: readonly PromptedItem[], memory: PromptOptions["memory"]): void {
  items.forEach((item, i) => checkItem(item, i, memory));
  if (memory === "shared") return;
  const read = items.filter(({ reading }) => reading.length > 0);
  const other = read.find(({ reading }) => reading[0].length !== read[0].reading[0].length);
  if (!other) return;
  throw new InputRangeError(
    `Cannot read items side by side as their segments must have one length: ` +
      `current lengths are ${read[0].reading[0].length} and ${other.reading[0].length}`,
  );
}

function checkItem(
  { reading, prompts }: PromptedItem,
  item: number,
  memory: PromptOptions["memory"],
): void {
  const other = reading.find(({ length }, i) =>
    length === 0 || length > reading[0].length ||
    (length < reading[0].length && !(memory === "shared" && i === reading.length - 1))
  );
  if (other) {
    throw new InputRangeError(
      `Cannot read item ${item} as its segments must have one length${
        memory === "shared" ? ", or the last a shorter one" : ""
      }: ` +
        `current lengths are ${reading[0].length} and ${other.length}`,
    );
  }
  for (const { tokens, scored } of prompts) {
    if (!(Number.isInteger(scored) && scored >= 1 && scored < tokens.length)) {
      throw new InputRangeError(
        `Cannot ask a prompt of item ${item} as it must have a token to score and one before it: ` +
          `current values are ${scored} scored of ${tokens.length} tokens`,
      );
    }
  }
}
