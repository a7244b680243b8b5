/**
 * Decoding the continuation of a prompt. Most decoders drop the space before the first token, and a character may take several
 * tokens, so that tokens are decoded together with those before them.
 */
import type { Tokenizer } from "./tokenizer.ts";

/**
 * Decodes tokens that continue a prompt: the text of all of them together without that of the prompt, so that the space
 * between the two stays.
 *
 * @param prompt Token ids of the prompt.
 * @param ids Token ids after it.
 * @throws {RangeError} If an id does not stand for text.
 */
export function decodeContinuation(
  tokenizer: Pick<Tokenizer, "decode">,
  prompt: ArrayLike<number>,
  ids: ArrayLike<number>,
): string {
  const before = Array.from(prompt);
  return textAfter(tokenizer.decode(before), tokenizer.decode([...before, ...Array.from(ids)]));
}

/** Decodes the tokens after a prompt one by one; the parts joined are what `decodeContinuation` gives. */
export class DecodeStream {
  readonly #tokenizer: Pick<Tokenizer, "decode">;
  /** Tokens that the next ones are decoded with: those of the last part, then those that no part has yet. */
  #window: number[];
  /** How many of the window belong to parts already returned. */
  #returned: number;
  /** Whether the white space before the first text is left out. */
  #trims = false;

  /**
   * Begins after a prompt.
   *
   * @param prompt Token ids of the prompt.
   */
  constructor(tokenizer: Pick<Tokenizer, "decode">, prompt: ArrayLike<number> = []) {
    this.#tokenizer = tokenizer;
    this.#window = Array.from(prompt);
    this.#returned = this.#window.length;
  }

  /**
   * Begins after a prompt as it was written. Where it ends in white space that its tokens do not have, the continuation begins
   * without a space of its own.
   *
   * @param prompt Text of the prompt.
   */
  static after(
    tokenizer: Pick<Tokenizer, "decode" | "encode">,
    prompt: string,
  ): DecodeStream {
    const tokens = tokenizer.encode(prompt);
    const stream = new DecodeStream(tokenizer, tokens);
    stream.#trims = /\s$/.test(prompt) && !/\s$/.test(tokenizer.decode(tokens));
    return stream;
  }

  /**
   * Adds a token.
   *
   * @returns The text that it completes; "" while the bytes of a character are incomplete.
   * @throws {RangeError} If the id does not stand for text.
   */
  add(id: number): string {
    const text = this.#tokenizer.decode([...this.#window, id]);
    this.#window.push(id);
    return text.endsWith("\ufffd") ? "" : this.#take(text);
  }

  /** Ends the text. Returns the remaining bytes of an incomplete character, as U+FFFD. */
  end(): string {
    return this.#take(this.#tokenizer.decode(this.#window));
  }

  #take(text: string): string {
    const pending = this.#window.slice(this.#returned);
    const part = textAfter(this.#tokenizer.decode(this.#window.slice(0, this.#returned)), text);
    // A window of tokens without text would be no neighbour for the next one.
    if (/\S/.test(this.#tokenizer.decode(pending))) this.#window = pending;
    this.#returned = this.#window.length;
    if (!this.#trims) return part;
    const trimmed = part.trimStart();
    if (trimmed !== "") this.#trims = false;
    return trimmed;
  }
}

/**
 * Returns the part of text `all` after text `before`. The first text may end in an incomplete character, and decoders
 * that mend punctuation may remove white space from it ("do n't"); apart from these it is the beginning of the second.
 */
function textAfter(before: string, all: string): string {
  if (all.startsWith(before)) return all.slice(before.length);
  const first = before.replace(/\ufffd+$/, "");
  if (all.startsWith(first)) return all.slice(first.length);
  let end = 0;
  for (const character of first.matchAll(/\S/g)) {
    const found = all.indexOf(character[0], end);
    if (found < 0 || /\S/.test(all.slice(end, found))) break;
    end = found + 1;
  }
  return all.slice(end);
}
