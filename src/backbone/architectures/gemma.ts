/** Gemma: Llama with scaled embeddings, gains of norms that are stored less 1, and heads whose width is a setting of its own. */
import { gemmaLike } from "../gemma_like.ts";

/** Gemma. */
export const gemma = gemmaLike({ name: "gemma", absentKeyValueHeads: 16 });
