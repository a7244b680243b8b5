// deno-lint-ignore-file camelcase -- names of OpenAI's interface
/**
 * Log-likelihoods of tokens in OpenAI's form.
 */
import type { TokenTexts } from "../text/token_texts.ts";

/** Log-likelihood of a token after those before it, in nats, and the likeliest tokens of the same place. */
export interface TokenScore {
  readonly token: string;
  /** Characters of the completion's text before it. */
  readonly offset: number;
  /** Absent: nothing comes before it. */
  readonly logprob?: number;
  /** Log-likelihoods by the names of tokens. */
  readonly top?: Readonly<Record<string, number>>;
}

/** Log-likelihoods as a choice has them; null where there are none. */
export interface ChoiceLogprobs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Readonly<Record<string, number>> | null)[];
  readonly text_offset: number[];
}

/** Scores in OpenAI's form. */
export function choiceLogprobs(scores: readonly TokenScore[]): ChoiceLogprobs {
  return {
    tokens: scores.map(({ token }) => token),
    token_logprobs: scores.map(({ logprob }) => logprob ?? null),
    top_logprobs: scores.map(({ top }) => top ?? null),
    text_offset: scores.map(({ offset }) => offset),
  };
}

/** Names of the tokens that begin and end a document. */
export const specialNames = { bos: "<s>", eos: "</s>" } as const;

/** Name of a token that no other one has: its text, where it is one of its own. */
export function tokenName(texts: TokenTexts, id: number): string {
  const { bos, eos } = texts.tokenizer.specialIds;
  if (id === bos) return specialNames.bos;
  if (id === eos) return specialNames.eos;
  const text = texts.of(id);
  return text === undefined || text === "" || text.includes("\ufffd") ? `token_id:${id}` : text;
}

/**
 * Log-likelihood of an id and of the likeliest ones.
 *
 * @param logits Logits [V].
 * @param options `likeliest`: how many others are returned; of equally likely ones the first. The id itself always is.
 */
export function scoreToken(
  logits: Float32Array,
  id: number,
  { texts, likeliest }: { texts: TokenTexts; likeliest: number },
): Required<Omit<TokenScore, "offset">> {
  let largest = -Infinity;
  for (const logit of logits) if (logit > largest) largest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  const total = largest + Math.log(sum), token = tokenName(texts, id);
  const logprob = logits[id] - total;
  const top: Record<string, number> = Object.create(null);
  for (const other of largestIds(logits, likeliest)) {
    const name = other === id ? token : tokenName(texts, other);
    // Some vocabularies have several tokens of the same text.
    top[name in top || name === token && other !== id ? `token_id:${other}` : name] =
      logits[other] - total;
  }
  top[token] ??= logprob;
  return { token, logprob, top };
}

/** The ids of the n largest logits, the largest first; of equal ones the first. */
function largestIds(logits: Float32Array, n: number): number[] {
  const found: number[] = [];
  for (let id = 0; id < logits.length && n > 0; id++) {
    if (found.length === n && logits[id] <= logits[found[n - 1]]) continue;
    let place = found.length;
    while (place > 0 && logits[id] > logits[found[place - 1]]) place--;
    found.splice(place, 0, id);
    if (found.length > n) found.pop();
  }
  return found;
}
