/**
 * Recalls: the places of a chronicle where only an earlier place tells the next token.
 */
import type { TokenizedDocument } from "../document_tokens.ts";

/**
 * Kinds of recalls: a fact about a person or a ship; a good's label; a fact about a chapter's ship in the opening
 * of the next chapter, where the ship's name comes some tokens before; in drills also the value of a roll's pair.
 */
export type RecallKind = "person" | "ship" | "label" | "opening" | "pair";

/** A token that can be predicted only from an earlier statement of the document. */
export interface Recall {
  readonly kind: RecallKind;
  /** Position of the answer in the document's tokens: the token to predict from those before it. */
  readonly position: number;
  readonly answer: number;
  /** Id of the name of its entity. */
  readonly entity: number;
  /** Position where the same fact's answer stood the last time before. */
  readonly lastMention: number;
  /** Tokens from there to here: `position - lastMention`. */
  readonly distance: number;
}

/** A document whose recalls are known. */
export interface ChronicleDocument extends TokenizedDocument {
  /** Its recalls, by position. */
  readonly recalls: readonly Recall[];
  /** The text, a line for each sentence; it encodes to the tokens between `<s>` and `</s>`. */
  text(): string;
}

/**
 * First token that a model sees without memory where it predicts the token at a position of a document that is
 * cut into segments, as `cutDocument` cuts it.
 *
 * @param position Position of the token to predict; at least 1.
 * @param contextTokens Tokens T of a segment.
 */
export function segmentStart(position: number, contextTokens: number): number {
  return position - 1 - (position - 1) % contextTokens;
}

/** Whether a recall's last mention lies before the segment, where only a memory reaches. */
export function isFar(
  { position, lastMention }: Pick<Recall, "position" | "lastMention">,
  contextTokens: number,
): boolean {
  return lastMention < segmentStart(position, contextTokens);
}
