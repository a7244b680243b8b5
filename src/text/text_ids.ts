import { TokenTexts } from "./token_texts.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Ids that stand for text, and the one that ends it: fillers of a vocabulary and `<pad>` cannot be decoded. */
export function textIds(
  tokenizer: Tokenizer,
  texts: TokenTexts = new TokenTexts(tokenizer),
): (id: number) => boolean {
  const { vocabSize, specialIds } = tokenizer;
  const allowed = new Uint8Array(vocabSize);
  for (let id = 0; id < vocabSize; id++) {
    if (texts.of(id) !== undefined) allowed[id] = 1;
  }
  const { bos, eos, unk } = specialIds;
  allowed[bos] = 0;
  if (unk !== undefined) allowed[unk] = 0;
  allowed[eos] = 1; // may be the token that begins a document, too
  return (id) => allowed[id] === 1;
}
