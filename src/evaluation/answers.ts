/**
 * Answers that a model writes or chooses: their likelihoods behind a prompt, the end of a written line, and the likeliest choice.
 */
import { InputRangeError } from "../errors.ts";
import { stripPython } from "../text/python_space.ts";
import { TokenTexts } from "../text/token_texts.ts";
import { textOf, type Tokenizer } from "../text/tokenizer.ts";
import type { Prompt, PromptScore } from "./shared/prompting.ts";

/** Prompts that score each answer behind the same tokens; `name` is for errors. */
export function answerPrompts(
  name: string,
  prompt: Int32Array | readonly number[],
  answers: readonly (Int32Array | readonly number[])[],
): Prompt[] {
  return answers.map((answer) => ({
    name,
    tokens: Int32Array.from([...prompt, ...answer]),
    scored: answer.length,
  }));
}

/** Negative log-likelihood of all scored tokens of each prompt, in nats. */
export function natsOf(scores: readonly PromptScore[]): number[] {
  return scores.map(({ nll }) => nll.reduce((sum, value) => sum + value, 0));
}

/**
 * Checks that a tokenizer tells choices apart: otherwise none of them could be the likeliest.
 *
 * @param what Name of the question in the error: `question "7"`.
 * @param ids Tokens of each choice.
 * @throws RangeError where two have the same tokens.
 */
export function checkChoices(
  what: string,
  choices: readonly string[],
  ids: readonly ArrayLike<number>[],
): void {
  const seen = new Map<string, string>();
  for (const [i, choice] of choices.entries()) {
    const key = Array.from(ids[i]).join(), same = seen.get(key);
    if (same !== undefined) {
      throw new InputRangeError(
        `Cannot ask ${what} as two of its choices are the same tokens in the vocabulary: ` +
          `current values are "${same}" and "${choice}"`,
      );
    }
    seen.set(key, choice);
  }
}

/**
 * Checks the answers to a question: each has a token, and choices are told apart.
 *
 * @param what Name of the question in the error: `question "7"`.
 * @param ids Tokens of the right answer, or of each choice.
 * @returns Tokens of the longest answer: of choices, or of the right one and a written one.
 * @throws {RangeError} Where one has no token, or two choices have the same.
 */
export function longestAnswer(
  what: string,
  ids: readonly (readonly number[])[],
  { choices, maxAnswerTokens }: {
    readonly choices?: readonly string[] | undefined;
    readonly maxAnswerTokens: number;
  },
): number {
  const lengths = ids.map(({ length }) => length);
  if (lengths.includes(0)) {
    throw new InputRangeError(
      `Cannot ask ${what} as an answer to it has no token in the vocabulary`,
    );
  }
  if (choices) checkChoices(what, choices, ids);
  return Math.max(choices ? 0 : maxAnswerTokens, ...lengths);
}

/**
 * The likeliest of some choices.
 *
 * @param nats Negative log-likelihood of each choice.
 * @returns The choice, the number of the right one, and whether that is the likeliest: one that is as likely as a wrong one is not.
 */
export function chooseLikeliest(
  choices: readonly string[],
  answer: string,
  nats: readonly number[],
): { readonly choice: string; readonly right: number; readonly isRight: boolean } {
  const right = choices.indexOf(answer);
  return {
    choice: choices[nats.indexOf(Math.min(...nats))],
    right,
    isRight: nats.every((value, i) => i === right || nats[right] < value),
  };
}

/** Whether the last token of a written answer ends its line, or stands for no text. */
export function endsLine(
  tokenizer: Pick<Tokenizer, "decode" | "specialIds">,
): (tokens: readonly number[]) => boolean {
  const { bos, eos } = tokenizer.specialIds;
  return (tokens) => {
    const last = tokens.at(-1)!;
    return last === bos || last === eos || (textOf(tokenizer, last)?.includes("\n") ?? true);
  };
}

/** The first line of a written answer, without white space at its ends. */
export function lineOf(tokenizer: Pick<Tokenizer, "decode">, tokens: readonly number[]): string {
  return stripPython(new TokenTexts(tokenizer).decode(tokens).split(/[\r\n]/)[0]);
}
