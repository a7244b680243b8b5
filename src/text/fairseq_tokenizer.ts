import { ByteLevelBpe, tokenBytes } from "./byte_level_bpe.ts";
import { type Dictionary, fairseqSpecialIds, parseDictionary } from "./fairseq_dictionary.ts";
import { parseGpt2Files } from "./gpt2_files.ts";
import { checkTokenIds, decodeUtf8, hashOf, type SpecialIds, type Tokenizer } from "./tokenizer.ts";
import { InputRangeError } from "../errors.ts";

/** Contents of the three files of the official vocabulary. */
export interface FairseqFiles {
  /** `encoder.json`: GPT-2's ids by token. */
  readonly encoder: string;
  /** `vocab.bpe`: one merge a line, after a version line, which may be missing. */
  readonly merges: string;
  /** `dict.txt`: the fairseq dictionary, whose symbols are GPT-2 ids written in decimal. */
  readonly dictionary: string;
  /** Folder of the files, for errors. */
  readonly folder?: string;
}

/** The official vocabulary (specification section 2): GPT-2's BPE, renumbered by a fairseq dictionary. */
export class FairseqTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly specialIds: SpecialIds = fairseqSpecialIds;
  readonly hash: string;
  readonly #bpe: ByteLevelBpe;
  readonly #dictionary: Dictionary;
  /** fairseq id of each GPT-2 id. */
  readonly #ids: Int32Array;
  /** Bytes of each fairseq id; undefined where it does not stand for text. */
  readonly #bytes: (Uint8Array | undefined)[];

  /**
   * Reads the vocabulary.
   *
   * @throws {SyntaxError} If a file is not in its format, or no merge yields a token of `encoder.json`.
   * @throws {TypeError} If the merges need a token that `encoder.json` lacks.
   */
  constructor(files: FairseqFiles) {
    const pathOf = (name: string) => files.folder === undefined ? name : `${files.folder}/${name}`;
    const definition = parseGpt2Files(
      { ids: files.encoder, merges: files.merges },
      { ids: pathOf("encoder.json"), merges: pathOf("vocab.bpe") },
    );
    this.#bpe = new ByteLevelBpe(definition);
    this.#dictionary = parseDictionary(files.dictionary, pathOf("dict.txt"));
    const { symbols, ids } = this.#dictionary;
    this.vocabSize = symbols.length;
    const tokens: string[] = [];
    for (const [token, id] of definition.vocab) tokens[id] = token;
    this.#ids = Int32Array.from(tokens, (_, id) => ids.get(String(id)) ?? fairseqSpecialIds.unk);
    this.#bytes = symbols.map((symbol, id) => {
      if (id === fairseqSpecialIds.bos || id === fairseqSpecialIds.eos) return new Uint8Array();
      if (id === fairseqSpecialIds.unk) return new TextEncoder().encode("<unk>");
      const token = /^\d+$/.test(symbol) ? tokens[Number(symbol)] : undefined;
      return token === undefined ? undefined : tokenBytes(token);
    });
    this.hash = hashOf([files.encoder, files.merges, files.dictionary]);
  }

  encode(text: string): number[] {
    return this.encodeGpt2(text).map((id) => this.#ids[id]);
  }

  /** Encodes text into GPT-2's own ids, which the dictionary then renumbers. */
  encodeGpt2(text: string): number[] {
    return this.#bpe.encode(text);
  }

  decode(ids: ArrayLike<number>): string {
    checkTokenIds(ids, this.vocabSize, "decode tokens");
    const chunks = Array.from(ids, (id, i) => {
      const bytes = this.#bytes[id];
      if (bytes === undefined) {
        throw new InputRangeError(
          `Cannot decode tokens as "${this.#dictionary.symbols[id]}" does not stand for text: ` +
            `current token id at position ${i} is ${id}`,
        );
      }
      return bytes;
    });
    return decodeUtf8(chunks);
  }
}
