import type { LongMemModel } from "../longmem/longmem_model.ts";
import type { LineTreatment } from "../text/document_tokens.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

export interface ServedModel extends LineTreatment {
  readonly name: string;
  /** The model; its memory is the start of every session, and is not changed. */
  readonly model: LongMemModel;
  readonly tokenizer: Tokenizer;
  readonly contextTokens: number;
  readonly chunkTokens: number;
}
