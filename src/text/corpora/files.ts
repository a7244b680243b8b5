import { join } from "node:path";
import { z } from "zod";
import { oneOf, positiveInteger, text, trueOrFalse } from "../../declaration/fields.ts";
import { introducedAt } from "../../declaration/identity.ts";
import type { Accepts, Assert, Declared, NamedPath } from "../../declaration/part.ts";
import type { ByProtocol } from "../../declaration/protocol.ts";
import { InputRangeError, InputTypeError, MissingDataError } from "../../errors.ts";
import { ifThere, isThere } from "../../files.ts";
import { counted } from "../../quantities.ts";
import {
  type Document,
  type DocumentFile,
  findDocuments,
  hashDocuments,
  matchesWildcards,
  readDocument,
} from "../corpus.ts";
import { readCorpusIndex } from "../corpus_index.ts";
import { tokenizeDocument } from "../document_tokens.ts";
import { hashOf } from "../tokenizer.ts";
import {
  type CorpusContext,
  type CorpusKind,
  once,
  type RunDocument,
  type RunText,
  sizeOf,
  type Split,
  splits,
  tokenizerProblems,
} from "./corpus_kind.ts";

/** Documents: files of plain text or LaTeX source in a folder, divided into three splits. */
export interface FileCorpusConfig {
  /** Distinguishes it from other kinds of corpus. */
  readonly kind: "files";
  /** Folder of the corpus, relative to the folder in which the command runs. */
  readonly folder: string;
  /** Subfolders or globs below `folder` whose `.txt` and `.tex` files, or such with `.gz`, are trained on. */
  readonly train: readonly string[];
  /** The same for validation. */
  readonly valid: readonly string[];
  /** The same for the final evaluation. */
  readonly test: readonly string[];
  /**
   * How lines become tokens: `plain` keeps the text as it is, one `<s>` and `</s>` a document;
   * `released-code` strips each line and wraps it in `<s> </s>` (specification section 10).
   */
  readonly lines: "plain" | "released-code";
  /** Joins the lines of a hard-wrapped paragraph. */
  readonly unwrap: boolean;
  /** Takes only the first documents of a split. */
  readonly maxDocuments: Readonly<Partial<Record<Split, number>>>;
  /** Cuts documents into parts of at most this many tokens; absent: documents stay whole. */
  readonly maxDocumentTokens?: number;
  /**
   * Works or authors of documents, by their names, in which `*` stands for any characters: `{ "austen-*": "Austen" }`. The first
   * that matches counts; a document that none matches is one of its own. Documents of one work are not independent of each other,
   * and a control that reads another document reads one of another work. Absent: nothing is known.
   */
  readonly clusters?: Readonly<Record<string, string>>;
}

/** A corpus of files as declared; a split may be one subfolder or glob. */
export type FileCorpusDeclaration =
  & Declared<
    Omit<FileCorpusConfig, Split | "kind">,
    "folder"
  >
  & Readonly<Record<Split, string | readonly string[]>>
  & { readonly kind?: "files" | undefined };

const patterns = z.union([text, z.array(text).min(1).readonly()]).describe(
  "a subfolder or glob, or a list of them",
);

const schema = z.strictObject({
  // Not exactOptional(), with which a declaration without it would match no form.
  kind: introducedAt(z.literal("files").optional(), "files"),
  folder: text,
  train: patterns,
  valid: patterns,
  test: patterns,
  lines: oneOf("plain", "released-code").exactOptional(),
  unwrap: trueOrFalse.exactOptional(),
  maxDocuments: z.strictObject({
    train: positiveInteger.exactOptional(),
    valid: positiveInteger.exactOptional(),
    test: positiveInteger.exactOptional(),
  }).exactOptional(),
  maxDocumentTokens: positiveInteger.exactOptional(),
  clusters: z.record(text, text).describe("names of works by names of documents").exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, FileCorpusDeclaration>>;

/** Bytes of a token of English text, about, in a vocabulary like GPT-2's; smaller vocabularies have shorter tokens. */
export const bytesPerToken = 4;

/** How each protocol treats lines; the number is a row of specification section 17. */
const linesOf: ByProtocol<FileCorpusConfig["lines"]> = {
  "released-code": "released-code", // 8
  strict: "plain",
  paper: "plain",
};

/** Files of a folder, as a kind of corpus. */
export const fileCorpus: CorpusKind<FileCorpusDeclaration, FileCorpusConfig> = {
  schema,

  fill: (corpus, { protocol }) => ({
    lines: linesOf[protocol],
    unwrap: false,
    maxDocuments: {},
    ...corpus,
    kind: "files",
    train: [corpus.train].flat(),
    valid: [corpus.valid].flat(),
    test: [corpus.test].flat(),
  }),

  check: ({ kind }, _path, { tokenizer }) =>
    tokenizerProblems(kind, tokenizer, ({ reads }) => reads === "texts"),

  /** Lists the folder and, if it exists, the files named in it. Whether a glob matches shows when the corpus is opened. */
  async files(corpus, path) {
    const field = `${path}.folder`;
    const named: NamedPath[] = [
      { field, path: corpus.folder },
      { field, path: `${corpus.folder}/index.json`, optional: true },
    ];
    if (!await isThere(corpus.folder)) return named;
    for (const split of splits) {
      for (const pattern of corpus[split]) {
        if (/[*?[{]/.test(pattern)) continue;
        named.push({ field: `${path}.${split}`, path: `${corpus.folder}/${pattern}` });
      }
    }
    return named;
  },

  async checkDocuments(corpus) {
    for (const split of splits) {
      try {
        await findDocuments(corpus[split].map((part) => join(corpus.folder, part)));
      } catch (cause) {
        if (!(cause instanceof Deno.errors.NotFound)) throw cause;
        throw new MissingDataError(
          `${cause.message}; name others with --set corpus.${split}=PATTERN`,
          { cause },
        );
      }
    }
  },

  hash: (corpus, split) => ifThere(hashCorpus(corpus, split)),

  treatment: (corpus) => corpus,

  folder: ({ folder }) => folder,

  async documentTokens(corpus, split) {
    const files = await ifThere(filesOf(corpus, split));
    const bytes = files?.map(({ path }) => textBytes(path));
    return bytes && (await Promise.all(bytes)).map((count) => count / bytesPerToken);
  },

  open: openFiles,
};

async function openFiles(
  corpus: FileCorpusConfig,
  context: CorpusContext,
): Promise<RunText> {
  await checkSplits(corpus, context);
  await noteUnmatchedClusters(corpus, context);
  const index = await readCorpusIndex(corpus.folder);
  const tokenizer = await context.openTokenizer(documentsOf(corpus, "train"));

  const documents = once(async (split: Split): Promise<readonly RunDocument[]> => {
    context.doing(`reading the ${split} split`);
    const documents: RunDocument[] = [];
    const hashes: string[] = [];
    for await (const document of documentsOf(corpus, split)) {
      hashes.push(document.name, document.sha256);
      const tokenized = tokenizeDocument(document, tokenizer, corpus);
      documents.push({
        ...tokenized,
        gpt2Tokens: index.documents.get(document.name)?.gpt2Tokens ??
          Math.round(document.text.length / 4),
        ...(corpus.clusters && { cluster: clusterOf(document.name, corpus.clusters) }),
      });
    }
    await context.recordHash(`corpus ${split}`, hashOf(hashes));
    context.note(`${split} split: ${sizeOf(documents)}`);
    if (split !== "train") noteCopies(split, documents, hashes, context);
    return documents;
  });
  return {
    tokenizer,
    documents,
    async texts(split) {
      const texts = await Array.fromAsync(documentsOf(corpus, split));
      const hashes = texts.flatMap(({ name, sha256 }) => [name, sha256]);
      await context.recordHash(`corpus ${split}`, hashOf(hashes));
      return texts;
    },
    pretrainingDocuments: () => documents("train"),
    books() {
      throw new InputTypeError(
        `Cannot find recalls in the corpus of "${context.name}" as only those of the chronicle are known: ` +
          `current value of corpus.kind is "files", allowed is chronicle`,
      );
    },
  };
}

/** The work of a document: from the first pattern that matches its name, or else the document alone. */
export function clusterOf(name: string, clusters: Readonly<Record<string, string>>): string {
  const found = Object.entries(clusters).find(([pattern]) => matchesWildcards(name, pattern));
  return found?.[1] ?? name;
}

/**
 * SHA-256 over the names and the bytes of a split's documents.
 *
 * @throws {Deno.errors.NotFound} Where they are missing.
 */
export async function hashCorpus(corpus: FileCorpusConfig, split: Split): Promise<string> {
  return await hashDocuments(documentsOf(corpus, split));
}

async function filesOf(corpus: FileCorpusConfig, split: Split): Promise<DocumentFile[]> {
  const files = await findDocuments(corpus[split].map((part) => join(corpus.folder, part)));
  return files.slice(0, corpus.maxDocuments[split]);
}

async function* documentsOf(corpus: FileCorpusConfig, split: Split): AsyncGenerator<Document> {
  for (const file of await filesOf(corpus, split)) yield await readDocument(file);
}

/**
 * Reads every document once before anything is trained, so that one that cannot be read is found now and not after
 * the training; and so that nothing is measured on training data.
 *
 * @throws {RangeError} Where a text is in two of the splits that the run reads.
 */
async function checkSplits(
  corpus: FileCorpusConfig,
  { name, splits }: CorpusContext,
): Promise<void> {
  const seen = new Map<string, { readonly split: Split; readonly path: string }>();
  for (const split of splits) {
    for (const file of await filesOf(corpus, split)) {
      const { sha256 } = await readDocument(file);
      const other = seen.get(sha256);
      if (other && other.split !== split) {
        throw new InputRangeError(
          `Cannot run "${name}" as corpus.${split} must have no text of corpus.${other.split}: ` +
            `current files "${file.path}" and "${other.path}" are the same`,
        );
      }
      seen.set(sha256, { split, path: file.path });
    }
  }
}

/**
 * Notes documents with the text of others that are not of their work: a standard error takes each for one of its own.
 *
 * @param hashes Names and SHA-256 of the documents, one after the other.
 */
function noteCopies(
  split: Split,
  documents: readonly RunDocument[],
  hashes: readonly string[],
  { note }: Pick<CorpusContext, "note">,
): void {
  const works = new Map<string, { readonly name: string; readonly work: string }>();
  const copies: { readonly name: string; readonly of: string }[] = [];
  for (const [i, { name, cluster: work = name }] of documents.entries()) {
    const sha256 = hashes[2 * i + 1], first = works.get(sha256);
    if (!first) works.set(sha256, { name, work });
    else if (first.work !== work) copies.push({ name, of: first.name });
  }
  if (copies.length === 0) return;
  const [{ name, of }] = copies, are = copies.length === 1 ? "is a copy" : "are copies";
  note(
    `corpus.${split}: ${
      counted(copies.length, "document")
    } ${are} of another, such as "${name}" of "${of}": ` +
      "each counts as a document of its own, unless corpus.clusters makes them one work",
  );
}

/** Notes the patterns of clusters that match no document: documents that a misspelt one means count as works of their own. */
async function noteUnmatchedClusters(
  corpus: FileCorpusConfig,
  { note }: Pick<CorpusContext, "note">,
): Promise<void> {
  const patterns = Object.keys(corpus.clusters ?? {});
  if (patterns.length === 0) return;
  const files = await Promise.all(splits.map((split) => ifThere(filesOf(corpus, split))));
  const names = files.flatMap((ofSplit) => ofSplit ?? []).map(({ name }) => name);
  for (const pattern of patterns) {
    if (names.some((name) => matchesWildcards(name, pattern))) continue;
    note(`corpus.clusters: no document matches "${pattern}"`);
  }
}

/** Bytes of a file's text; of a compressed one those that its last four bytes tell. */
async function textBytes(path: string): Promise<number> {
  const { size } = await Deno.stat(path);
  if (!path.endsWith(".gz") || size < 4) return size;
  using file = await Deno.open(path);
  await file.seek(-4, Deno.SeekMode.End);
  const end = new Uint8Array(4);
  await file.read(end);
  return new DataView(end.buffer).getUint32(0, true);
}
