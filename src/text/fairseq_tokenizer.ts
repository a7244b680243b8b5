import { ByteLevelBpe, tokenBytes } from "./byte_level_bpe.ts";
import { type Dictionary, fairseqSpecialIds, parseDictionary } from "./fairseq_dictionary.ts";
import {
  checkTokenIds,
  decodeUtf8,
  hashOf,
  maxVocabSize,
  type SpecialIds,
  type Tokenizer,
} from "./tokenizer.ts";
import { InputRangeError, InputSyntaxError } from "../errors.ts";
import { parseJson } from "../files.ts";

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
    const vocab = parseEncoder(files.encoder, pathOf("encoder.json"));
    const merges = parseMerges(files.merges, pathOf("vocab.bpe"));
    this.#bpe = new ByteLevelBpe({ vocab, merges, name: `"${pathOf("vocab.bpe")}"` });
    checkReachable(vocab, merges, pathOf);
    this.#dictionary = parseDictionary(files.dictionary, pathOf("dict.txt"));
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
          `Cannot decode tokens as "${this.#dictionary.symbols[id]}" does not stand for text: ` +
            `current token id at position ${i} is ${id}`,
        );
      }
      return bytes;
    });
    return decodeUtf8(chunks);
  }
}

function parseEncoder(text: string, path: string): Map<string, number> {
  const refuse = (reason: string): never => {
    throw new InputSyntaxError(`Cannot read "${path}" as ${reason}`);
  };
  const json = parseJson(text, `"${path}"`);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    return refuse("it must be an object of ids by token");
  }
  const vocab = new Map<string, number>(Object.entries(json));
  const tokens = new Map<number, string>();
  for (const [token, id] of vocab) {
    if (!Number.isInteger(id) || id < 0 || id >= maxVocabSize) {
      refuse(
        `ids must be whole numbers in 0 .. ${maxVocabSize - 1}: current value of ${
          JSON.stringify(token)
        } is ${JSON.stringify(id)}`,
      );
    }
    const other = tokens.get(id);
    if (other !== undefined) {
      refuse(`two tokens have the id ${id}: ${JSON.stringify(other)}, ${JSON.stringify(token)}`);
    }
    tokens.set(id, token);
  }
  return vocab;
}

function parseMerges(text: string, path: string): [string, string][] {
  const lines = text.replace(/(?:\r?\n)+$/, "").split(/\r?\n/);
  if (lines.length === 1 && lines[0] === "") return [];
  const version = /^#(?:version|[^ ]*$)/.test(lines[0]) ? 1 : 0;
  return lines.slice(version).map((line, i) => {
    const [left, right, ...rest] = line.split(" ");
    if (!left || !right || rest.length > 0) {
      throw new InputSyntaxError(
        `Cannot read "${path}" as line ${
          i + 1 + version
        } must be two tokens with a space between: current value is ${JSON.stringify(line)}`,
      );
    }
    return [left, right];
  });
}

/** Names of special tokens, which no merge yields. */
const specialToken = /^(?:<.*>|\[.*\])$/;

/** Checks that every token is a byte, the result of a merge or special: where merges are missing, text encodes otherwise. */
function checkReachable(
  vocab: ReadonlyMap<string, number>,
  merges: readonly (readonly [string, string])[],
  pathOf: (name: string) => string,
): void {
  const reached = new Set(merges.map(([left, right]) => left + right));
  const missing = [...vocab.keys()].filter((token) =>
    token.length > 1 && !reached.has(token) && !specialToken.test(token)
  );
  if (missing.length === 0) return;
  throw new InputSyntaxError(
    `Cannot read "${pathOf("vocab.bpe")}" as no merge yields ${missing.length} of the tokens of "${
      pathOf("encoder.json")
    }", such as ${JSON.stringify(missing[0])}: current number of merges is ${merges.length}; ` +
      "the file may be cut off, or belong to another vocabulary",
  );
}
