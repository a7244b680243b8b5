/**
 * Texts of generated benchmarks.
 */
import { Random } from "../../random.ts";
import type { Haystack } from "./haystack.ts";

/** A text, and the question about it. */
export interface GeneratedText {
  /** The benchmark's task. */
  readonly task: string;
  /** Tokens of context, question and answer that were chosen; no more than the text has. */
  readonly length: number;
  /** Number of the text among those of its task and length. */
  readonly instance: number;
  /** Text that is read first. */
  readonly context: string;
  /** Text behind it, up to where the answer begins. */
  readonly question: string;
  /** Right answers: all are asked for, in any order. */
  readonly answers: readonly string[];
  /** Tokens of a written answer at most. */
  readonly maxAnswerTokens: number;
  /** Expected score of an answer drawn at random from those that the task allows. */
  readonly chance: number;
}

export interface TextOptions<Wording> {
  readonly wording: Wording;
  readonly haystack: Haystack;
  /** Tokens of context, question and answer at most. */
  readonly length: number;
  readonly instance: number;
  readonly seed: number;
  /** Tokens of a written answer at most; absent: those of the wording. */
  readonly maxAnswerTokens?: number | undefined;
  readonly count: (text: string) => number;
}

/** Room for a text of a task, and its random numbers. */
export interface TextRoom {
  /** A new generator of the text's random numbers, the same each time for the same purpose. */
  readonly random: (purpose: string) => Random;
  /** Tokens of context and question at most. */
  readonly budget: number;
  /** Name of the text, for errors. */
  readonly name: string;
}

/** The room for a text of a benchmark's task. */
export function roomOf(
  benchmark: string,
  { task, length, instance, seed, maxAnswerTokens }:
    & Pick<TextOptions<unknown>, "length" | "instance" | "seed">
    & Pick<GeneratedText, "task" | "maxAnswerTokens">,
): TextRoom {
  return {
    random: (purpose) =>
      new Random(`${seed}/${benchmark}/${task}/${length}/${instance}/${purpose}`),
    // One token more is <s>.
    budget: length - maxAnswerTokens - 1,
    name: `${task} of ${length} tokens`,
  };
}
