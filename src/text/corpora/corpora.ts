/**
 * The kinds of corpus: a file each, and its lines here.
 */
import { Registry } from "../../declaration/registry.ts";
import {
  chronicleCorpus,
  type ChronicleCorpusConfig,
  type ChronicleCorpusDeclaration,
} from "./chronicle.ts";
import type { CorpusKind, TextTreatment, WrittenChronicle } from "./corpus_kind.ts";
import { fileCorpus, type FileCorpusConfig, type FileCorpusDeclaration } from "./files.ts";
import { noCorpus, type NoCorpusConfig } from "./none.ts";

/** Documents to train and evaluate on. */
export type CorpusConfig = FileCorpusConfig | ChronicleCorpusConfig | NoCorpusConfig;

/** A corpus as declared; of files, unless its kind says otherwise. */
export type CorpusDeclaration =
  | FileCorpusDeclaration
  | ChronicleCorpusDeclaration
  | NoCorpusConfig;

/** The kinds of corpus that declarations may name. */
export const corpora = new Registry<
  CorpusKind<CorpusDeclaration, CorpusConfig>,
  CorpusDeclaration
>({ files: fileCorpus, chronicle: chronicleCorpus, none: noCorpus });

/** The kind of a corpus as declared: files where it names none. */
export function corpusKindOf({ kind = "files" }: CorpusDeclaration) {
  return corpora.get(kind);
}

/** How a corpus treats texts; of one without, how texts from elsewhere are treated beside it. */
export function treatmentOf(corpus: CorpusConfig): TextTreatment {
  return corpora.get(corpus.kind).treatment?.(corpus) ?? { lines: "plain", unwrap: false };
}

/** The chronicle that a corpus is written in; undefined where its words are those of a natural language. */
export function chronicleOf(corpus: CorpusConfig): WrittenChronicle | undefined {
  return corpora.get(corpus.kind).chronicle?.(corpus);
}
