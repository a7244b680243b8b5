/**
 * A text of a generated benchmark, and the question about it.
 */
export interface GeneratedText {
  /** The benchmark's task. */
  readonly task: string;
  /** Tokens of context, question and answer that were chosen; no more than the text has. */
  readonly length: number;
  /** Number of the text among those of its task and length. */
  readonly instance: number;
  /** Text that is read first. */
  readonly context: string;
  /** What stands behind it, up to where the answer begins. */
  readonly question: string;
  /** Right answers: all are asked for, in any order. */
  readonly answers: readonly string[];
  /** Tokens of a written answer at most. */
  readonly maxAnswerTokens: number;
  /** Expected score of an answer drawn at random from those that the task allows. */
  readonly chance: number;
}
