import { textOf, type Tokenizer } from "./tokenizer.ts";

/** The texts of single tokens of a tokenizer; each token is decoded once. */
export class TokenTexts<T extends Pick<Tokenizer, "decode"> = Tokenizer> {
  readonly #texts = new Map<number, string | undefined>();

  constructor(readonly tokenizer: T) {}

  /** The text of a token; undefined where it stands for none. */
  of(id: number): string | undefined {
    if (!this.#texts.has(id)) this.#texts.set(id, textOf(this.tokenizer, id));
    return this.#texts.get(id);
  }

  /** The ids that stand for text, in order. */
  readable(ids: ArrayLike<number>): number[] {
    return Array.from(ids).filter((id) => this.of(id) !== undefined);
  }

  /** The text of tokens, apart from those that stand for none. */
  decode(ids: ArrayLike<number>): string {
    return this.tokenizer.decode(this.readable(ids));
  }
}
