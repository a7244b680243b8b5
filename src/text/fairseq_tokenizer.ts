import { ByteLevelBpe, tokenBytes } from "./byte_level_bpe.ts";
import { type Dictionary, fairseqSpecialIds, parseDictionary } from "./fairseq_dictionary.ts";
import { checkTokenIds, decodeUtf8, hashOf, type SpecialIds, type Tokenizer } from "./tokenizer.ts";
import { InputRangeError, InputSyntaxError } from "../errors.ts";

/** What the three files of the official vocabulary hold. */
export interface FairseqFiles {
  /** `encoder.json`: GPT-2's ids by token. */
  readonly encoder: string;
  /** `vocab.bpe`: a version line, then one merge a line. */
  readonly merges: string;
  /** `dict.txt`: the fairseq dictionary, whose symbols are GPT-2 ids written in decimal. */
  readonly dictionary: string;
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
  /** Bytes of each fairseq id; undefined where it stands for no text. */
  readonly #bytes: (Uint8Array | undefined)[];

  /**
   * Reads the vocabulary.
   *
   * @throws {SyntaxError} If a file is not in its format.
   * @throws {TypeError} If the merges need a token that `encoder.json` lacks.
   */
  constructor(files: FairseqFiles) {
    const vocab = parseEncoder(files.encoder);
    this.#bpe = new ByteLevelBpe({ vocab, merges: parseMerges(files.merges) });
    this.#dictionary = parseDictionary(files.dictionary, "dict.txt");
    const { symbols, ids } = this.#dictionary;
    this.vocabSize = symbols.length;
    const tokens: string[] = [];
    for (const [token, id] of vocab) tokens[id] = token;
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
          `Cannot decode tokens as "${this.#dictionary.symbols[id]}" stands for no text: ` +
            `current token id at position ${i} is ${id}`,
        );
      }
      return bytes;
    });
    return decodeUtf8(chunks);
  }
}

function parseEncoder(text: string): Map<string, number> {
  const vocab = new Map<string, number>(Object.entries(JSON.parse(text)));
  for (const [token, id] of vocab) {
    if (!Number.isInteger(id) || id < 0) {
      throw new InputSyntaxError(
        `Cannot read "encoder.json" as ids must be whole numbers: current value of ${
          JSON.stringify(token)
        } is ${JSON.stringify(id)}`,
      );
    }
  }
  return vocab;
}

function parseMerges(text: string): [string, string][] {
  // The first line is a version.
  return text.replace(/\n$/, "").split("\n").slice(1).map((line, i) => {
    const [left, right, ...rest] = line.split(" ");
    if (!left || !right || rest.length > 0) {
      throw new InputSyntaxError(
        `Cannot read "vocab.bpe" as line ${
          i + 2
        } must be two tokens with a space between: current value is ` +
          JSON.stringify(line),
      );
    }
    return [left, right];
  });
}
