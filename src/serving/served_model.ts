import type { LongMemModel } from "../longmem/longmem_model.ts";
import type { LineTreatment } from "../text/document_tokens.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** The model that a server answers with. */
export interface ServedModel extends LineTreatment {
  /** Its name for clients. */
  readonly name: string;
  /** The model; its memory is the start of every session, and is not changed. */
  readonly model: LongMemModel;
  readonly tokenizer: Tokenizer;
  /** Tokens of the window. */
  readonly contextTokens: number;
  /** Tokens of a chunk of the memory. */
  readonly chunkTokens: number;
}
