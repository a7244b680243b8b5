/**
 * Vocabularies in the format of Hugging Face's `tokenizer.json`.
 */
import type { Tokenizer as LibraryModel } from "@huggingface/tokenizers";
import { z } from "zod";
import { type BpeDefinition, byteCharacters, ByteLevelBpe, tokenBytes } from "./byte_level_bpe.ts";
import {
  checkTokenIds,
  decodeUtf8,
  hashOf,
  type SpecialIds,
  specialTokens,
  type Tokenizer,
} from "./tokenizer.ts";
import {
  namingFile,
  openLibraryModel,
  parseTokenizerDefinition,
  type TokenizerDefinition,
} from "./tokenizer_definition.ts";
import type { DeclaredSpecials } from "./special_tokens.ts";
import { schemeOf } from "./library_parts.ts";
import { InputError, InputRangeError, InputTypeError } from "../errors.ts";

/** How a `tokenizer.json` is to be read. */
export interface TokenizerJsonOptions {
  /** Name of the file, for errors. */
  readonly name?: string;
  /** Which tokens play the special parts; `<s>`, `<pad>`, `</s>` and `<unk>` where not given. */
  readonly specialTokens?: Partial<Readonly<Record<keyof SpecialIds, string>>>;
  /** Special tokens declared in files beside it, in place of the names above; undeclared ones do not exist. */
  readonly declared?: DeclaredSpecials;
}

/** Definitions that our own encoder supports: GPT-2's pre-tokenisation, a vocabulary with all bytes, merges, nothing else. */
const byteLevelBpe = z.looseObject({
  added_tokens: z.array(z.looseObject({ special: z.literal(true) })),
  normalizer: z.null(),
  pre_tokenizer: z.looseObject({
    type: z.literal("ByteLevel"),
    add_prefix_space: z.literal(false),
    use_regex: z.literal(true).optional(),
  }),
  decoder: z.looseObject({ type: z.literal("ByteLevel") }),
  model: z.looseObject({
    type: z.literal("BPE"),
    dropout: z.union([z.null(), z.literal(0)]).optional(),
    continuing_subword_prefix: z.union([z.null(), z.literal("")]).optional(),
    end_of_word_suffix: z.union([z.null(), z.literal("")]).optional(),
    byte_fallback: z.literal(false).optional(),
    ignore_merges: z.literal(false).optional(),
  }),
});

/** A closed vocabulary of words that white space separates, nothing else; the library has none of that kind. */
const wordLevel = z.looseObject({
  added_tokens: z.array(z.looseObject({ special: z.literal(true) })),
  normalizer: z.null(),
  pre_tokenizer: z.looseObject({ type: z.literal("WhitespaceSplit") }),
  decoder: z.null(),
  model: z.looseObject({
    type: z.literal("WordLevel"),
  }),
});

/**
 * Reads a `tokenizer.json`. A byte-level BPE runs on our own encoder, which is several times faster, and so do
 * words that white space separates (`WordLevel` with `WhitespaceSplit`); every other kind runs on the library
 * `@huggingface/tokenizers`. All leave special tokens in text alone.
 *
 * @param text Content of the file.
 * @throws {SyntaxError} If it is not a `tokenizer.json`.
 * @throws {TypeError} If a special token is missing, or padding shares its token.
 */
export function parseTokenizerJson(text: string, options: TokenizerJsonOptions = {}): Tokenizer {
  const vocabulary = parseVocabulary(text, options);
  const { fields, modelIds, merges } = vocabulary.definition;
  const isWord = (token: string) => /^\P{White_Space}+$/u.test(token);
  if (wordLevel.safeParse(fields).success && [...modelIds.keys()].every(isWord)) {
    return new WordTokenizer(vocabulary);
  }
  const isByteLevel = byteLevelBpe.safeParse(fields).success &&
    byteCharacters.every((character) => modelIds.has(character));
  return isByteLevel
    ? new ByteLevelTokenizer(vocabulary, new ByteLevelBpe({ vocab: modelIds, merges }))
    : new LibraryTokenizer(vocabulary);
}

/** Reads a `tokenizer.json` as `parseTokenizerJson` does, but always runs it on the library. */
export function parseTokenizerJsonWithLibrary(
  text: string,
  options: TokenizerJsonOptions = {},
): Tokenizer {
  return new LibraryTokenizer(parseVocabulary(text, options));
}

/**
 * Writes a byte-level BPE as a `tokenizer.json`.
 *
 * @param special Those tokens of the vocabulary that no text encodes to.
 */
export function formatTokenizerJson(
  definition: BpeDefinition,
  special: readonly string[] = specialTokens,
): string {
  const { vocab, merges } = definition;
  const byteLevel = {
    type: "ByteLevel",
    "add_prefix_space": false,
    "trim_offsets": false,
    "use_regex": true,
  };
  return JSON.stringify(tokenizerJsonOf({
    specialTokens: special.map((content) => ({ id: vocab.get(content), content })),
    preTokenizer: byteLevel,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab),
      merges,
    },
  }));
}

/** The contents of a `tokenizer.json` whose special tokens are apart from text and whose text is as it is, not normalised. */
export function tokenizerJsonOf(
  { specialTokens, preTokenizer, decoder, model }: {
    readonly specialTokens: readonly {
      readonly id: number | undefined;
      readonly content: string;
    }[];
    readonly preTokenizer: object;
    /** Null: tokens are words. */
    readonly decoder: object | null;
    readonly model: object;
  },
): object {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((token) => ({
      ...token,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder,
    model,
  };
}

interface Vocabulary {
  readonly definition: TokenizerDefinition;
  readonly hash: string;
  readonly specialIds: SpecialIds;
  /** Text that special ids stand for; undefined for padding, which stands for none. */
  readonly specialText: ReadonlyMap<number, string | undefined>;
}

function parseVocabulary(text: string, options: TokenizerJsonOptions): Vocabulary {
  const name = options.name ?? "tokenizer.json";
  const definition = parseTokenizerDefinition(text, name);
  const { declared } = options;
  const specialIds = declared
    ? declaredIds(definition, declared)
    : namedIds(definition, options.specialTokens);
  const specialText = new Map<number, string | undefined>();
  for (const { content, id, special } of definition.addedTokens) {
    if (special) specialText.set(id, content);
  }
  const { bos, pad, eos, unk } = specialIds;
  if (unk !== undefined) specialText.set(unk, "<unk>");
  specialText.set(bos, "").set(eos, "");
  if (pad !== undefined) specialText.set(pad, undefined);
  // Declarations in other files are part of it, except those that agree with the file alone.
  const ids = JSON.stringify([bos, pad, eos, unk]);
  const isUsual = !declared ||
    ids === JSON.stringify(Object.values(usualNames).map((token) => definition.ids.get(token)));
  return { definition, hash: hashOf(isUsual ? [text] : [text, ids]), specialIds, specialText };
}

/** Names of the special tokens where nothing says others. */
const usualNames = { bos: "<s>", pad: "<pad>", eos: "</s>", unk: "<unk>" } as const;

/** The special tokens by their names, each of which the file must have; of a file with a single one, that for both ends. */
function namedIds(
  definition: TokenizerDefinition,
  given: TokenizerJsonOptions["specialTokens"],
): SpecialIds {
  const { name, ids, fields, addedTokens } = definition;
  const [only, ...others] = addedTokens.filter(({ special }) => special);
  const isUsual = Object.values(usualNames).some((token) => ids.has(token));
  if (!given && !isUsual && only && others.length === 0) return { bos: only.id, eos: only.id };
  const names = { ...usualNames, ...given };
  const special = (part: keyof SpecialIds) =>
    ids.get(names[part]) ?? refuseMissing(definition, part, JSON.stringify(names[part]));
  const [bos, pad, eos, unk] = [special("bos"), special("pad"), special("eos"), special("unk")];
  const { "unk_id": unkId, "unk_token": unkToken } = fields.model;
  if ([bos, eos, unk, unkId, ids.get(String(unkToken))].includes(pad)) {
    // The loss would ignore that token wherever it is a target.
    throw new InputTypeError(
      `Cannot use tokenizer "${name}" as pad must differ from bos, eos and unk: current value is "${names.pad}"`,
    );
  }
  return { bos, pad, eos, unk };
}

/**
 * The special tokens that files beside a `tokenizer.json` name: `bos` and `eos`, which may be one, and `pad` and `unk` where
 * they are tokens of their own.
 */
function declaredIds(definition: TokenizerDefinition, declared: DeclaredSpecials): SpecialIds {
  const { ids, tokens, fields: { model } } = definition;
  const idOf = (token: string | number | undefined) =>
    typeof token === "string"
      ? ids.get(token)
      : tokens[token ?? -1] === undefined
      ? undefined
      : token;
  const special = (part: "bos" | "eos") =>
    idOf(declared[part]) ?? refuseMissing(definition, part, JSON.stringify(declared[part] ?? null));
  const bos = special("bos"), eos = special("eos");
  const unkOfModel = model.unk_id ?? model.unk_token;
  const unk = idOf(declared.unk) ?? idOf((unkOfModel ?? undefined) as string | number | undefined);
  const pad = idOf(declared.pad);
  const isOwn = (id: number | undefined): id is number =>
    id !== undefined && id !== bos && id !== eos;
  return {
    bos,
    ...(isOwn(pad) && pad !== unk ? { pad } : {}),
    eos,
    ...(isOwn(unk) ? { unk } : {}),
  };
}

function refuseMissing(
  { name, addedTokens }: TokenizerDefinition,
  part: keyof SpecialIds,
  current: string,
): never {
  throw new InputTypeError(
    `Cannot use tokenizer "${name}" as its special token ${part} is missing: current value is ` +
      `${current}, special tokens of the file are ${
        JSON.stringify(addedTokens.filter(({ special }) => special).map(({ content }) => content))
      }`,
  );
}

/** Base of the tokenizers of this file: special ids are decoded here, never by the vocabulary. */
abstract class JsonTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly specialIds: SpecialIds;
  readonly hash: string;
  protected readonly vocabulary: Vocabulary;
  /** The library's tokenizer with all special tokens, made when it is first needed. */
  #marked: LibraryModel | undefined;

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
    this.vocabSize = vocabulary.definition.tokens.length;
    this.specialIds = vocabulary.specialIds;
    this.hash = vocabulary.hash;
  }

  abstract encode(text: string): number[];

  encodeMarked(text: string): number[] {
    const { definition } = this.vocabulary;
    this.#marked ??= openLibraryModel(definition, definition.addedTokens, {});
    return this.encodeWith(this.#marked, text);
  }

  /** Ids of text by a tokenizer of the library. */
  protected encodeWith(model: LibraryModel, text: string): number[] {
    const { name } = this.vocabulary.definition;
    return namingFile(name, "use", () => {
      const { ids: found } = model.encode(text, { add_special_tokens: false });
      // Undefined for text that a model without an unknown token does not know.
      const ids = found.map((id: number | undefined) => id ?? this.unknownId());
      checkTokenIds(ids, this.vocabSize, `encode text with tokenizer "${name}"`);
      return ids;
    });
  }

  /** Text of ids in one piece; those that become nothing are left out. */
  protected abstract decodeTokens(ids: number[]): string;

  /** The id of text that the vocabulary does not know. */
  protected unknownId(): number {
    const { unk } = this.specialIds;
    if (unk !== undefined) return unk;
    throw new InputError(
      `Cannot encode text with tokenizer "${this.vocabulary.definition.name}" as it has no token for a part of it, ` +
        "and none for what is unknown",
    );
  }

  /** String from which an id is decoded: the text that a special id stands for, or the token. */
  protected tokenOf(id: number): string {
    return this.vocabulary.specialText.get(id) ?? this.vocabulary.definition.tokens[id]!;
  }

  decode(ids: ArrayLike<number>): string {
    const { specialText, definition: { tokens } } = this.vocabulary;
    checkTokenIds(ids, this.vocabSize, "decode tokens");
    const kept: number[] = [];
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i];
      const special = specialText.get(id);
      if (tokens[id] === undefined || (special === undefined && specialText.has(id))) {
        throw new InputRangeError(
          `Cannot decode tokens as "${tokens[id]}" does not stand for text: ` +
            `current token id at position ${i} is ${id}`,
        );
      }
      if (special !== "") kept.push(id);
    }
    return kept.length === 0 ? "" : this.decodeTokens(kept);
  }
}

class ByteLevelTokenizer extends JsonTokenizer {
  readonly #bpe: ByteLevelBpe;
  readonly #bytes: Uint8Array[];

  constructor(vocabulary: Vocabulary, bpe: ByteLevelBpe) {
    super(vocabulary);
    this.#bpe = bpe;
    const utf8 = new TextEncoder();
    const { specialText, definition: { tokens } } = vocabulary;
    const nothing = new Uint8Array();
    this.#bytes = Array.from(tokens, (token, id) => {
      if (token === undefined) return nothing;
      const special = specialText.get(id);
      return special === undefined ? tokenBytes(token) ?? utf8.encode(token) : utf8.encode(special);
    });
  }

  override encode(text: string): number[] {
    return this.#bpe.encode(text);
  }

  protected override decodeTokens(ids: number[]): string {
    return decodeUtf8(ids.map((id) => this.#bytes[id]));
  }
}

class WordTokenizer extends JsonTokenizer {
  /** Ids of the words that are not special: special tokens in text are words that the vocabulary lacks. */
  readonly #ids: ReadonlyMap<string, number>;

  constructor(vocabulary: Vocabulary) {
    super(vocabulary);
    const { specialText, definition: { modelIds } } = vocabulary;
    this.#ids = new Map([...modelIds].filter(([, id]) => !specialText.has(id)));
  }

  override encode(text: string): number[] {
    const ids: number[] = [];
    for (const [word] of text.matchAll(/\P{White_Space}+/gu)) {
      ids.push(this.#ids.get(word) ?? this.unknownId());
    }
    return ids;
  }

  protected override decodeTokens(ids: number[]): string {
    return ids.map((id) => this.tokenOf(id)).join(" ");
  }
}

class LibraryTokenizer extends JsonTokenizer {
  readonly #model: LibraryModel;

  constructor(vocabulary: Vocabulary) {
    super(vocabulary);
    const { definition, specialIds, specialText } = vocabulary;
    const { addedTokens, fields, tokens } = definition;
    // Without its special tokens the library takes them for ordinary text; the post-processor only adds some.
    this.#model = openLibraryModel(
      definition,
      addedTokens.filter(({ id }) => !specialText.has(id)),
      {
        "clean_up_tokenization_spaces": false,
        "eos_token": tokens[specialIds.eos],
        "unk_token": fields.model.unk_token ?? tokens[specialIds.unk ?? -1],
      },
    );
    const model = this.#model.model!;
    // Decoded with their neighbours: alone, tokens lose the spaces around them.
    const written = isByteLevel(fields.decoder) ? byteLevelForm : (text: string) => text;
    for (const id of specialText.keys()) {
      model.vocab[id] = written(this.tokenOf(id));
      // In text they are characters like others.
      model.tokens_to_ids.delete(tokens[id]!);
    }
  }

  override encode(text: string): number[] {
    return this.encodeWith(this.#model, text);
  }

  encodeFollowing(text: string): number[] {
    const { normalizer, "pre_tokenizer": cutter } = this.vocabulary.definition.fields;
    if (!putsSpace(normalizer) && !putsSpace(cutter)) return this.encode(text);
    // Behind a mark that no token joins to the text.
    for (const before of [":", "\n"]) {
      const ids = this.encode(before + text), known = this.encode(before);
      if (known.every((id, i) => id === ids[i])) return ids.slice(known.length);
    }
    return this.encode(text);
  }

  protected override decodeTokens(ids: number[]): string {
    return namingFile(this.vocabulary.definition.name, "use", () => this.#model.decode(ids));
  }
}

/** Whether a part puts a space before a text. */
function putsSpace(part: unknown): boolean {
  const { type, normalizers, pretokenizers, ...fields } = (part ?? {}) as Record<string, unknown>;
  const inner = [normalizers, pretokenizers].filter(Array.isArray).flat();
  switch (type) {
    case "Prepend":
      return true;
    case "Metaspace":
      return schemeOf(fields) !== "never";
    case "ByteLevel":
      return fields.add_prefix_space !== false;
    default:
      return inner.some(putsSpace);
  }
}

/** Whether a decoder turns the characters of tokens into bytes. */
function isByteLevel(decoder: unknown): boolean {
  const { type, decoders } = (decoder ?? {}) as { type?: unknown; decoders?: unknown };
  return type === "ByteLevel" || Array.isArray(decoders) && decoders.some(isByteLevel);
}

/** A text as tokens of byte-level vocabularies are written. */
function byteLevelForm(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byteCharacters[byte]).join("");
}
