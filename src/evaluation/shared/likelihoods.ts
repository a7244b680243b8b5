import { InputRangeError } from "../../errors.ts";

/** Whose likelihoods they are, and of what. */
export interface ScoredText {
  /** Name of the evaluation; absent where there is none, as in a library call. */
  readonly evaluation?: string | undefined;
  readonly model: string;
  /** Which text: `document "a"`, `prompt 2 of item 1`. */
  readonly text: string;
  /** Position in that text of the first of the likelihoods. */
  readonly position: number;
}

/**
 * Checks the likelihoods that a model gives: one that is not finite makes every number derived from it meaningless.
 *
 * @param nll Negative log-likelihoods of consecutive tokens, in nats.
 * @throws {RangeError} If one is NaN or infinite; it names evaluation, model, text and position.
 */
export function checkLikelihoods(nll: Float32Array, scored: ScoredText): void {
  const i = nll.findIndex((nats) => !Number.isFinite(nats));
  if (i < 0) return;
  const { evaluation, model, text, position } = scored;
  throw new InputRangeError(
    `Cannot evaluate model "${model}"${evaluation === undefined ? "" : ` in "${evaluation}"`} as ` +
      `the likelihood of the token at position ${position + i} of ${text} must be finite: ` +
      `current value is ${nll[i]} nats`,
  );
}
