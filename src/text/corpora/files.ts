import { z } from "zod";
import { oneOf, positiveInteger, text, trueOrFalse } from "../../declaration/fields.ts";
import { introducedAt } from "../../declaration/identity.ts";
import type { Accepts, Assert, Declared } from "../../declaration/part.ts";
import type { ByProtocol } from "../../declaration/protocol.ts";
import { ifThere } from "../../files.ts";
import { type CorpusKind, type NamedPath, type Split, tokenizerProblems } from "./corpus_kind.ts";

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
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, FileCorpusDeclaration>>;

/** What a protocol says about lines; the number is a row of specification section 17. */
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
    tokenizerProblems(kind, tokenizer, ["bpe", "file", "gpt2"]),

  /** The folder; where it is there, what is named in it. Whether a glob matches shows when the corpus is opened. */
  async files(corpus, path) {
    const named: NamedPath[] = [{ field: `${path}.folder`, path: corpus.folder }];
    if (await ifThere(Deno.stat(corpus.folder)) === undefined) return named;
    for (const split of ["train", "valid", "test"] as const) {
      for (const pattern of corpus[split]) {
        if (/[*?[{]/.test(pattern)) continue;
        named.push({ field: `${path}.${split}`, path: `${corpus.folder}/${pattern}` });
      }
    }
    return named;
  },
};
