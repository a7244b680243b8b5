import { writeBooks } from "../chronicle/book.ts";
import { z } from "zod";
import {
  finiteNumber,
  nonNegativeInteger,
  positiveInteger,
  seed,
  wholeNumber,
} from "../../declaration/fields.ts";
import type { Accepts, Assert } from "../../declaration/part.ts";
import {
  checkChronicle,
  checkCorpusTokens,
  type ChronicleConfig,
  defaultChronicle,
} from "../chronicle/config.ts";
import { writePretrainingDocuments } from "../chronicle/pretraining.ts";
import type { TokenizedDocument } from "../document_tokens.ts";
import { sha256Of } from "../../sha256.ts";
import { hashOf } from "../tokenizer.ts";
import {
  type CorpusContext,
  type CorpusKind,
  once,
  type RunDocument,
  type RunText,
  sizeOf,
  type Split,
  tokenizerProblems,
} from "./corpus_kind.ts";

/** How books and drills of the chronicle are written; how many there are is the corpus's to say. */
export type ChronicleWriting = Omit<ChronicleConfig, "pretraining">;

/** Documents: books of the chronicle, written when they are needed, whose tokens are ids of the built-in vocabulary. */
export interface ChronicleCorpusConfig {
  /** Distinguishes it from other kinds of corpus. */
  readonly kind: "chronicle";
  /** Seed of all that is written; each split has books of its own. */
  readonly seed: number;
  /** Books of each split. */
  readonly books: Readonly<Record<Split, number>>;
  /** Drills among the books on which the backbone is pretrained; adaptations and evaluations read books alone. */
  readonly drills: number;
  /** How they are written. */
  readonly config: ChronicleWriting;
}

/** The chronicle as declared: only the fields that differ from the defaults. */
export interface ChronicleCorpusDeclaration {
  /** Distinguishes it from files. */
  readonly kind: "chronicle";
  /** Seed of all that is written (default: the experiment's). */
  readonly seed?: number;
  /** Books of each split (default 750, 8 and 24). */
  readonly books?: Readonly<Partial<Record<Split, number>>>;
  /** Drills among the books on which the backbone is pretrained (default 1,500). */
  readonly drills?: number;
  /** How they are written. */
  readonly config?: {
    readonly [K in keyof ChronicleWriting]?: ChronicleWriting[K] extends number ? number
      : Partial<ChronicleWriting[K]>;
  };
}

const countRange = z.strictObject({ from: wholeNumber, to: wholeNumber });

const { pretraining, ...writing } = defaultChronicle;

/** The form of a part of the writing, of which every field has a default. The generator checks the values itself. */
function formOf(defaults: object): z.ZodType {
  const fields = Object.entries(defaults).map(([name, value]) => {
    const form = typeof value === "number"
      ? name.endsWith("Share") ? finiteNumber : wholeNumber
      : "from" in value
      ? countRange
      : formOf(value);
    return [name, form.exactOptional()];
  });
  return z.strictObject(Object.fromEntries(fields));
}

const schema = z.strictObject({
  kind: z.literal("chronicle"),
  seed: seed.exactOptional(),
  books: z.strictObject({
    train: positiveInteger.exactOptional(),
    valid: positiveInteger.exactOptional(),
    test: positiveInteger.exactOptional(),
  }).exactOptional(),
  drills: nonNegativeInteger.exactOptional(),
  config: (formOf(writing) as z.ZodType<Required<ChronicleCorpusDeclaration>["config"]>)
    .exactOptional(),
});
type _SchemaAcceptsTheType = Assert<Accepts<typeof schema, ChronicleCorpusDeclaration>>;

/** As many books to train on as the default configuration has for pretraining. */
const defaultBooks = { train: pretraining.books, valid: 8, test: 24 } as const;

/** Books of an invented world, as a kind of corpus. */
export const chronicleCorpus: CorpusKind<ChronicleCorpusDeclaration, ChronicleCorpusConfig> = {
  schema,

  fill(corpus, { seed }) {
    const { config = {} } = corpus;
    return {
      seed,
      drills: pretraining.drills,
      ...corpus,
      books: { ...defaultBooks, ...corpus.books },
      config: {
        contextTokens: config.contextTokens ?? writing.contextTokens,
        book: { ...writing.book, ...config.book },
        sentence: { ...writing.sentence, ...config.sentence },
        drill: { ...writing.drill, ...config.drill },
        reviews: { ...writing.reviews, ...config.reviews },
      },
    };
  },

  /** The chronicle and its vocabulary belong together, and its generator reports configurations that it cannot write. */
  check(corpus, path, { tokenizer }) {
    const { kind, books, config } = corpus;
    const problems = tokenizerProblems(kind, tokenizer, ({ reads }) => reads === "chronicle");
    try {
      checkChronicle(writingOf(corpus));
      for (const count of [books.valid, books.test]) {
        checkCorpusTokens(config, { books: count, drills: 0 });
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      problems.push({ path: `${path}.config`, message: `is impossible: ${error.message}` });
    }
    return problems;
  },

  chronicle: (corpus) => ({ seed: corpus.seed, writing: writingOf(corpus) }),

  documentCount: ({ books }, split) => books[split],

  /** All books are about as long as one. */
  documentTokens(corpus, split) {
    const [book] = writeBooks(writingOf(corpus), { seed: corpus.seed, count: 1 });
    return Promise.resolve(Array(corpus.books[split]).fill(book.tokens.length));
  },

  open: openChronicle,
};

function writingOf({ books, drills, config }: ChronicleCorpusConfig): ChronicleConfig {
  return { ...config, pretraining: { books: books.train, drills } };
}

async function openChronicle(
  corpus: ChronicleCorpusConfig,
  context: CorpusContext,
): Promise<RunText> {
  const { seed, books: counts } = corpus, writing = writingOf(corpus);
  const tokenizer = await context.openTokenizer();

  /** Records the written documents and drops their recalls, of which a long corpus has many. */
  const record = async (name: string, written: Iterable<TokenizedDocument>) => {
    context.doing(`writing the ${name} documents`);
    const documents: RunDocument[] = [];
    const hashes: string[] = [];
    for (const { name, tokens, words } of written) {
      hashes.push(name, hashOf([tokens.join(" ")]));
      documents.push({ name, tokens, words, gpt2Tokens: tokens.length });
    }
    await context.recordHash(`corpus ${name}`, hashOf(hashes));
    context.note(`${name}: ${sizeOf(documents)}`);
    return documents;
  };
  const write = (split: Split) => {
    // The books of the train split are those of the pretraining, which draws their seeds so.
    const name = split === "train" ? "pretraining" : split;
    return writeBooks(writing, { seed: `${seed}/${name}`, count: counts[split] });
  };
  const books = once((split: Split) => Promise.resolve(write(split)));
  const pretraining = once(() => record("pretraining", writePretrainingDocuments(writing, seed)));
  return {
    tokenizer,
    documents: once((split: Split) => record(split, write(split))),
    pretrainingDocuments: () => pretraining("train"),
    texts: async (split) =>
      (await books(split)).map((book) => {
        const text = book.text();
        return { name: book.name, text, sha256: sha256Of(text) };
      }),
    books,
  };
}
