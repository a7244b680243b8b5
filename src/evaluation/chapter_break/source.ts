/**
 * A source of chapter breaks: its declaration, and how its items are made.
 */
import type { z } from "zod";
import type { NamedPath } from "../../declaration/part.ts";
import type { Problem } from "../../declaration/problem.ts";
import type { ChapterBreakWorks } from "../../text/chapter_break.ts";
import type { corpora, CorpusConfig } from "../../text/corpora/corpora.ts";
import type { EvaluationTexts } from "../evaluation_kind.ts";

/** A kind of corpus, whichever. */
export type AnyCorpus = ReturnType<typeof corpora.get>;

export interface ChapterBreakSourceKind<Declaration, Config> {
  /** Form of the object that declares it. */
  readonly schema: z.ZodType<Declaration>;
  /** Default tokens before a break where the corpus is one of which its items are made (default: the paper's). */
  readonly prefixTokens?: readonly number[];
  /** Whether its items can be made of such a corpus; absent: they come from elsewhere. */
  isMadeOf?(corpus: AnyCorpus): boolean;
  fill(declaration: Declaration, from: { readonly prefixTokens: readonly number[] }): Config;
  /** Values that do not fit each other or the corpus; `path` is where the evaluation stands. */
  check?(config: Config, path: string, corpus: CorpusConfig): Problem[];
  files?(config: Config): NamedPath[];
  /** Number of items, where the declaration says it. */
  itemCount?(config: Config, corpus: CorpusConfig): number;
  /** Tokens before a break below which an item is left out (default 1). */
  minPrefixTokens?(config: Config): number;
  /** Makes or reads the instances of all works. */
  works(config: Config, corpus: CorpusConfig, texts: EvaluationTexts): Promise<ChapterBreakWorks>;
}
