/**
 * Choices where the paper and the released code differ or are silent (specification section 17).
 * It sets the defaults of `corpus.lines`, `memory.bank`, `memory.eviction`, `memory.reset`,
 * `memory.missingChunks`, `memory.storage` and of every `batches`; of evaluations, ChapterBreak's `ties` and, where sentences
 * are labelled in context, `scoring`, `source.draw` and `memory.chunkTokens`. Each can be overridden alone.
 *
 * - `released-code` reproduces the official numbers.
 * - `strict` is what a careful reader would expect.
 * - `paper` follows the text where it is known, and `strict` elsewhere.
 */
export type Protocol = "released-code" | "strict" | "paper";

/** Defaults of a part of a declaration under each protocol. */
export type ByProtocol<Defaults> = Readonly<Record<Protocol, Defaults>>;

export const protocols = ["released-code", "strict", "paper"] as const satisfies Protocol[];
