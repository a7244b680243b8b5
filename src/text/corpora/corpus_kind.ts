import type { Part } from "../../declaration/part.ts";
import { type Problem, wrong } from "../../declaration/problem.ts";
import type { Protocol } from "../../declaration/protocol.ts";
import type { TokenizerConfig } from "../tokenizer_config.ts";

/** One part of a corpus. */
export type Split = "train" | "valid" | "test";

/** What the defaults of a corpus follow. */
export interface CorpusDefaults {
  readonly protocol: Protocol;
  /** The experiment's. */
  readonly seed: number;
}

/** What a corpus must fit. */
export interface CorpusSurroundings {
  readonly tokenizer: TokenizerConfig;
  /** Parts of the experiment that are trained on it: `backbone`, `adaptation`. */
  readonly trained: readonly string[];
}

/** A file or folder that a declaration names. */
export interface NamedPath {
  /** The field that names it. */
  readonly field: string;
  readonly path: string;
}

/** A kind of corpus: the fields that declare it. */
export interface CorpusKind<Declaration, Config>
  extends Part<Declaration, Config, CorpusDefaults, CorpusSurroundings> {
  /** Files and folders that it reads, as far as the declaration names them. */
  files?(config: Config, path: string): Promise<NamedPath[]>;
}

/** A tokenizer that does not fit a kind of corpus. */
export function tokenizerProblems(
  corpus: string,
  tokenizer: TokenizerConfig,
  allowed: readonly TokenizerConfig["kind"][],
): Problem[] {
  if (allowed.includes(tokenizer.kind)) return [];
  const [only, ...others] = allowed;
  const rule = others.length === 0 ? `must be "${only}"` : `must not be "${tokenizer.kind}"`;
  return [wrong(
    "tokenizer.kind",
    `${rule} where corpus.kind is "${corpus}"`,
    tokenizer.kind,
    allowed.join(", "),
  )];
}
