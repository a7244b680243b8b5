/**
 * Prompting for evaluations: a model reads a text, segment by segment, and is then asked prompts about it, none of which
 * changes what it has read. What a model answers depends on the item alone, not on those beside it.
 */
import type { PromptedModel } from "./language_model.ts";

/** Tokens of which the likelihood is asked, behind a local context. */
export interface Prompt {
  /** Local context and scored tokens, one after the other; at least one token is not scored. */
  readonly tokens: Int32Array;
  /** Tokens at the end that are scored. */
  readonly scored: number;
}

/** A text, and prompts about it. */
export interface PromptedItem {
  /** What is read first: segments of one length T; empty: nothing. */
  readonly reading: readonly Int32Array[];
  /** What is then asked. */
  readonly prompts: readonly Prompt[];
}

/** What a model says of the scored tokens of a prompt. */
export interface PromptScore {
  /** Negative log-likelihood of each scored token given all before it, in nats. */
  readonly nll: Float32Array;
  /** The most likely token of the whole vocabulary in the place of each scored token. */
  readonly choices: Int32Array;
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
 * @throws {RangeError} If a prompt has nothing to score, or nothing before it, or segments differ in length.
 */
export async function askPrompts(
  model: PromptedModel,
  items: readonly PromptedItem[],
  options: PromptOptions,
): Promise<PromptScore[][]> {
  items.forEach(checkItem);
  const total = items.reduce((sum, { prompts }) => sum + prompts.length, 0);
  const scores: PromptScore[][] = items.map(() => []);
  let asked = 0;
  /** Asks one prompt in each row, or none. */
  const ask = async (rows: readonly (Asked | undefined)[]) => {
    options.signal?.throwIfAborted();
    const answers = await askBatch(
      model,
      rows.map((row) => row && items[row.item].prompts[row.prompt]),
      options.pad,
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
      for (const [item, { prompts }] of items.entries()) {
        await readItems(model, [item], items, options);
        // Prompts of about one length side by side, so that few tokens are padding.
        const order = [...prompts.keys()].sort((a, b) =>
          prompts[b].tokens.length - prompts[a].tokens.length || a - b
        );
        for (let start = 0; start < order.length; start += rows) {
          await ask(order.slice(start, start + rows).map((prompt) => ({ item, prompt })));
        }
      }
      break;
    default:
      memory satisfies never;
  }
  return scores;
}

/** A prompt by its numbers. */
interface Asked {
  readonly item: number;
  readonly prompt: number;
}

/** Reads the texts of items side by side; all end together, so that the last of them is read just before the prompts. */
async function readItems(
  model: PromptedModel,
  rows: readonly (number | undefined)[],
  items: readonly PromptedItem[],
  { pad, signal }: PromptOptions,
): Promise<void> {
  const readings = rows.map((item) => item === undefined ? undefined : items[item].reading);
  const steps = Math.max(...readings.map((reading) => reading?.length ?? 0));
  const T = readings.find((reading) => reading?.length)?.[0].length ?? 0;
  for (let step = 0; step <= steps; step++) {
    for (const [row, reading] of readings.entries()) {
      // What the row has read before, if anything, is of another item.
      if (reading && step === steps - reading.length) await model.startDocument(row, rows[row]!);
    }
    if (step === steps) break;
    signal?.throwIfAborted();
    const tokens = new Int32Array(rows.length * T).fill(pad);
    readings.forEach((reading, row) => {
      const segment = reading?.[step - (steps - reading.length)];
      if (segment) tokens.set(segment, row * T);
    });
    await model.read({ tokens, rows: rows.length });
  }
}

/** Asks a prompt in each row, or none. */
async function askBatch(
  model: PromptedModel,
  prompts: readonly (Prompt | undefined)[],
  pad: number,
): Promise<(PromptScore | undefined)[]> {
  const longest = Math.max(...prompts.map((prompt) => prompt?.tokens.length ?? 0));
  const T = Math.ceil((longest - 1) / lengthStep) * lengthStep, rows = prompts.length;
  const tokens = new Int32Array(rows * T).fill(pad), targets = new Int32Array(rows * T).fill(pad);
  prompts.forEach((prompt, row) => {
    if (!prompt) return;
    tokens.set(prompt.tokens.subarray(0, -1), row * T);
    targets.set(prompt.tokens.subarray(1), row * T);
  });
  const { nll, choices } = await model.ask({ tokens, targets, rows });
  return prompts.map((prompt, row) => {
    if (!prompt) return undefined;
    const end = row * T + prompt.tokens.length - 1, start = end - prompt.scored;
    return { nll: nll.slice(start, end), choices: choices.slice(start, end) };
  });
}

function checkItem({ reading, prompts }: PromptedItem, item: number): void {
  const other = reading.find(({ length }) => length !== reading[0].length || length === 0);
  if (other) {
    throw new RangeError(
      `Cannot read item ${item} as its segments must have one length: ` +
        `current lengths are ${reading[0].length} and ${other.length}`,
    );
  }
  for (const { tokens, scored } of prompts) {
    if (!(Number.isInteger(scored) && scored >= 1 && scored < tokens.length)) {
      throw new RangeError(
        `Cannot ask a prompt of item ${item} as it must have a token to score and one before it: ` +
          `current values are ${scored} scored of ${tokens.length} tokens`,
      );
    }
  }
}
