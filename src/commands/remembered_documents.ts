/** Documents of a command line on their way into a memory. */
import { basename } from "node:path";
import {
  type CommandArguments,
  type Flag,
  lastValue,
  type Output,
  reading,
} from "../command_line.ts";
import { rememberDocument } from "../longmem/generation.ts";
import type { LongMemModel } from "../longmem/longmem_model.ts";
import type { RememberedText } from "../memory/memory_file.ts";
import { readDocument } from "../text/corpus.ts";
import { tokenizeDocument } from "../text/document_tokens.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { ModelSource } from "./model_source.ts";
import { sha256Of } from "../sha256.ts";
import { counted } from "../quantities.ts";
import { visibleText } from "../visible_text.ts";

/** Milliseconds between reports of how far a document has been read. */
export const progressInterval = 3000;

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

/**
 * Fills the memory of a model from the file that `--memory` names, then from each `--document`.
 *
 * @param options `interval`: milliseconds between reports of how far a document has been read.
 * @returns The texts that the memory has read.
 */
export async function fillMemory(
  model: LongMemModel,
  source: ModelSource,
  { args, output, interval = progressInterval }: {
    args: CommandArguments;
    output: Output;
    interval?: number;
  },
): Promise<RememberedText[]> {
  const { tokenizer } = source;
  const texts: RememberedText[] = [];
  const memory = lastValue(args, "memory");
  if (memory !== undefined) {
    const restored = await reading(() => model.restoreMemory(memory, { tokenizer }));
    texts.push(...restored.texts);
    const [{ chunks, tokens }] = restored.banks;
    const names = texts.map(({ name }) => visibleText(name)).join(", ") || "texts without names";
    output.note(
      `${memory}: ${tokens} tokens of ${names}, ${chunks * source.chunkTokens} of them in memory`,
    );
  }
  for (const path of args.flags.get("document") ?? []) {
    texts.push(await rememberFile(model, source, { path, output, interval }));
  }
  return texts;
}

async function rememberFile(
  model: LongMemModel,
  source: ModelSource,
  { path, output, interval }: { path: string; output: Output; interval: number },
): Promise<RememberedText> {
  const { contextTokens, chunkTokens } = source;
  const { text, tokens: ids } = await readTokens(path, source, output);
  const start = model.rememberedTokens[0] ?? 0;
  const before = chunkTokens * (model.memoryFillChunks[0] ?? 0);
  const report = progressReport(path, ids.length, output, interval);
  const progress = (read: number) => {
    if (read < ids.length) report(read);
  };
  await reading(() => rememberDocument(model, ids, { contextTokens, progress }));
  const after = chunkTokens * (model.memoryFillChunks[0] ?? 0);
  output.note(memoryText(path, ids.length, { before, after, chunkTokens }));
  const sha256 = sha256Of(text);
  return { name: basename(path), sha256, start, tokens: ids.length };
}

/** Reads a document as the model of a command line does, and warns of text that its vocabulary does not know. */
export async function readTokens(
  path: string,
  { tokenizer, lines, unwrap }: Pick<ModelSource, "tokenizer" | "lines" | "unwrap">,
  output: Output,
): Promise<{ readonly text: string; readonly tokens: Int32Array<ArrayBuffer> }> {
  const document = await reading(() => readDocument({ name: path, path }));
  const { tokens } = tokenizeDocument(document, tokenizer, { lines, unwrap });
  noteUnknown(path, tokens, tokenizer, output);
  return { text: document.text, tokens };
}

/** Returns a function that notes how many tokens of a document have been read, unless it has just done so. */
export function progressReport(
  path: string,
  tokens: number,
  output: Output,
  interval = progressInterval,
): (read: number) => void {
  let reported = Date.now();
  return (read) => {
    if (Date.now() - reported < interval) return;
    reported = Date.now();
    output.note(`${path}: ${tokens} tokens, ${read} of them read`);
  };
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
    `${what}: ${counted(ids.length, "token")}, ${unknown} of them (${
      Number(share)
    } %) unknown to the vocabulary`,
  );
}

/** How much of a document is in the memory, and why the rest is not. */
function memoryText(
  path: string,
  tokens: number,
  { before, after, chunkTokens }: {
    /** Tokens in the memory before the document and after it. */
    before: number;
    after: number;
    chunkTokens: number;
  },
): string {
  const partial = tokens % chunkTokens;
  const written = tokens - partial, inMemory = Math.min(written, after);
  const forgotten = written - inMemory, ofEarlier = before + inMemory - after;
  return [
    `${path}: ${tokens} tokens, ${inMemory} of them in memory`,
    ...(forgotten > 0
      ? [`${forgotten} forgotten, the oldest first, as the memory is full (--capacity enlarges it)`]
      : []),
    ...(ofEarlier > 0 ? [`${ofEarlier} of earlier texts forgotten, as the memory is full`] : []),
    ...(partial > 0 ? [`${partial} left out as they do not fill a chunk of ${chunkTokens}`] : []),
  ].join(", ");
}
