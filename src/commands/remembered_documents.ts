/** Documents of a command line on their way into a memory. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { type Flag, type Output, reading } from "../command_line.ts";
import { rememberDocument } from "../longmem/generation.ts";
import type { LongMemModel } from "../longmem/longmem_model.ts";
import type { RememberedText } from "../memory/memory_file.ts";
import { readDocument } from "../text/corpus.ts";
import { tokenizeDocument } from "../text/document_tokens.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { ModelSource } from "./model_source.ts";

/** `--document`: texts to remember. */
export const documentFlag: Flag = {
  name: "document",
  value: "FILE",
  isPath: true,
  help: "plain text, also gzipped (.gz), to remember; several, one --document each, in their order",
};

/** `--memory`: a memory file to read. */
export const memoryFlag: Flag = {
  name: "memory",
  value: "FILE",
  isPath: true,
  help: "a memory that `remember` wrote; documents are added to it",
};

/** Documents to put into a memory, and how. */
export interface FillOptions {
  /** A memory file, which comes first. */
  readonly memory: string | undefined;
  /** Files of text, which follow. */
  readonly documents: readonly string[];
  readonly output: Output;
  /** Milliseconds between reports of how far a document has been read. */
  readonly interval: number;
}

/** Fills the memory of a model from a file and from documents; returns the texts that it has read. */
export async function fillMemory(
  model: LongMemModel,
  source: ModelSource,
  { memory, documents, output, interval }: FillOptions,
): Promise<RememberedText[]> {
  const { tokenizer } = source;
  const texts: RememberedText[] = [];
  if (memory !== undefined) {
    const restored = await reading(() => model.restoreMemory(memory, { tokenizer }));
    texts.push(...restored.texts);
    const [{ chunks, tokens }] = restored.banks;
    const names = texts.map(({ name }) => name).join(", ") || "texts without names";
    output.note(
      `${memory}: ${tokens} tokens of ${names}, ${chunks * source.chunkTokens} of them in memory`,
    );
  }
  for (const path of documents) {
    texts.push(await rememberFile(model, source, { path, output, interval }));
  }
  return texts;
}

async function rememberFile(
  model: LongMemModel,
  { tokenizer, lines, unwrap, contextTokens, chunkTokens }: ModelSource,
  { path, output, interval }: { path: string } & Pick<FillOptions, "output" | "interval">,
): Promise<RememberedText> {
  const document = await reading(() => readDocument({ name: path, path }));
  const { tokens: ids } = tokenizeDocument(document, tokenizer, { lines, unwrap });
  noteUnknown(path, ids, tokenizer, output);
  const start = model.rememberedTokens[0] ?? 0;
  const before = chunkTokens * (model.memoryFillChunks[0] ?? 0);
  let reported = Date.now();
  const progress = (read: number) => {
    if (read === ids.length || Date.now() - reported < interval) return;
    reported = Date.now();
    output.note(`${path}: ${ids.length} tokens, ${read} of them read`);
  };
  await reading(() => rememberDocument(model, ids, { contextTokens, chunkTokens, progress }));
  const after = chunkTokens * (model.memoryFillChunks[0] ?? 0);
  output.note(memoryText(path, ids.length, { before, after, contextTokens, chunkTokens }));
  const sha256 = createHash("sha256").update(document.text).digest("hex");
  return { name: basename(path), sha256, start, tokens: ids.length };
}

/** Warns of text that the vocabulary does not know, which a model reads as nothing but `<unk>`. */
export function noteUnknown(
  what: string,
  ids: ArrayLike<number>,
  { specialIds: { unk } }: Pick<Tokenizer, "specialIds">,
  output: Output,
): void {
  const unknown = Array.from(ids).filter((id) => id === unk).length;
  if (unknown === 0) return;
  const share = (100 * unknown / ids.length).toPrecision(2);
  output.note(
    `${what}: ${ids.length} tokens, ${unknown} of them (${
      Number(share)
    } %) unknown to the vocabulary`,
  );
}

/** How much of a document is in the memory, and why the rest is not. */
function memoryText(
  path: string,
  tokens: number,
  { before, after, contextTokens, chunkTokens }: {
    /** Tokens in the memory before the document and after it. */
    before: number;
    after: number;
    contextTokens: number;
    chunkTokens: number;
  },
): string {
  const full = Math.floor(tokens / contextTokens);
  const partial = full * (contextTokens % chunkTokens) + tokens % contextTokens % chunkTokens;
  const written = tokens - partial, inMemory = Math.min(written, after);
  const forgotten = written - inMemory, ofEarlier = before + inMemory - after;
  return [
    `${path}: ${tokens} tokens, ${inMemory} of them in memory`,
    ...(forgotten > 0 ? [`${forgotten} forgotten, the oldest first, as the memory is full`] : []),
    ...(ofEarlier > 0 ? [`${ofEarlier} of earlier texts forgotten, as the memory is full`] : []),
    ...(partial > 0 ? [`${partial} left out as they do not fill a chunk of ${chunkTokens}`] : []),
  ].join(", ");
}
