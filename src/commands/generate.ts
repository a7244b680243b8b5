import { architectureOf } from "../backbone/architectures.ts";
import type { BackboneShape } from "../backbone/shape.ts";
import { loadBackboneWeights, loadSideNetWeights } from "../checkpoint/checkpoint.ts";
import { hashFrozen } from "../formats/tensor_hash.ts";
import {
  type Command,
  type CommandArguments,
  type Output,
  positiveInteger,
  reading,
  requiredFlag,
  UsageError,
} from "../command_line.ts";
import { generate, rememberDocument } from "../longmem/generation.ts";
import { loadLongMem, type LoadLongMemOptions } from "../checkpoint/load.ts";
import { paperMemory } from "../memory/config.ts";
import { readFinishedRun, runTokenizer } from "../runner/load_trained_model.ts";
import { type DocumentFile, readDocument } from "../text/corpus.ts";
import { tokenizeDocument } from "../text/document_tokens.ts";
import { DecodeStream } from "../text/decode_stream.ts";
import { textOf, type Tokenizer } from "../text/tokenizer.ts";
import { openTokenizer } from "../text/tokenizer_source.ts";
import { readFolderTokenizer } from "../checkpoint/folder.ts";
import { tokenizerAt } from "../checkpoint/folder_tokenizer.ts";
import { deviceFlag, deviceOf } from "./device_flag.ts";
import { InputRangeError } from "../errors.ts";
import { summaries } from "./summaries.ts";

/** Tokens of a window where the checkpoint does not say on how many it was trained. */
const defaultContextTokens = 512;

/** Milliseconds between reports of how far the document has been read. */
const progressInterval = 3000;

/**
 * `generate`: text from a model that has a long document in its memory.
 *
 * @param interval Milliseconds between reports of how far the document has been read.
 */
export function generateCommand(output: Output, interval: number = progressInterval): Command {
  return {
    ...summaries.generate,
    flags: [
      {
        name: "run",
        value: "FOLDER",
        isPath: true,
        help: "a finished run, results/<experiment>/<run>",
      },
      {
        name: "backbone",
        value: "PATH",
        isPath: true,
        help: "checkpoint of the backbone, or hf:OWNER/NAME, a model of the Hub that data fetched",
      },
      {
        name: "sidenet",
        value: "PATH",
        isPath: true,
        help: "checkpoint of the SideNet (default: initialised, untrained)",
      },
      {
        name: "tokenizer",
        value: "PATH",
        isPath: true,
        help: "a tokenizer.json, or a folder of encoder.json, vocab.bpe and dict.txt " +
          "(default that of the checkpoint's folder)",
      },
      {
        name: "document",
        value: "FILE",
        isPath: true,
        help: "plain text, also gzipped (.gz), to remember",
      },
      { name: "prompt", value: "TEXT", help: "text to continue (default none)" },
      { name: "tokens", value: "N", help: "tokens to generate at most (default 100)" },
      { name: "context", value: "N", help: "tokens of the window (default as trained)" },
      { name: "seed", value: "N", help: "seed of the sampling (default 1)" },
      { name: "temperature", value: "X", help: "0 takes the most probable token (default 1)" },
      {
        name: "offline",
        help: "use no network, as always: data fetches models of the Hub to its cache",
      },
      deviceFlag,
    ],
    execute: (args) => generateText(args, output, interval),
  };
}

async function generateText(
  args: CommandArguments,
  output: Output,
  interval: number,
): Promise<number> {
  if (args.operands.length > 0) {
    throw new UsageError(`Cannot generate from "${args.operands[0]}" as it follows no flag`);
  }
  const path = requiredFlag(args, "document");
  const tokens = positiveInteger(args, "tokens") ?? 100;
  const temperature = readTemperature(args);
  const device = deviceOf(args);
  const given = positiveInteger(args, "context");

  const source = await openSource(args, output);
  const { tokenizer, options, lines, unwrap, chunkTokens } = source;
  const contextTokens = given ?? source.contextTokens;
  const file: DocumentFile = { name: path, path };
  const document = tokenizeDocument(await reading(() => readDocument(file)), tokenizer, {
    lines,
    unwrap,
  });
  const model = await reading(() => loadLongMem({ ...options, ...(device ? { device } : {}) }));
  try {
    const { tokens: ids } = document;
    const { unk } = tokenizer.specialIds;
    noteUnknown(path, ids, unk, output);
    let reported = Date.now();
    const progress = (read: number) => {
      if (read === ids.length || Date.now() - reported < interval) return;
      reported = Date.now();
      output.note(`${path}: ${ids.length} tokens, ${read} of them read`);
    };
    await reading(() => rememberDocument(model, ids, { contextTokens, chunkTokens, progress }));
    const inMemory = (model.memoryFillChunks[0] ?? 0) * chunkTokens;
    output.note(memoryText(path, ids.length, inMemory, { contextTokens, chunkTokens }));
    const prompt = args.flags.get("prompt")?.at(-1) ?? "";
    const promptIds = tokenizer.encode(prompt);
    noteUnknown("the prompt", promptIds, unk, output);
    const generated = generate(model, {
      prompt: [tokenizer.specialIds.bos, ...promptIds],
      tokens,
      contextTokens,
      temperature,
      seed: args.flags.get("seed")?.at(-1) ?? 1,
      allows: textIds(tokenizer),
      end: tokenizer.specialIds.eos,
    });
    await printContinuation(prompt, generated, tokenizer, output);
    return 0;
  } finally {
    await model.close();
  }
}

/** Warns of text that the vocabulary does not know, which a model reads as nothing but `<unk>`. */
function noteUnknown(
  what: string,
  ids: ArrayLike<number>,
  unk: number | undefined,
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
  inMemory: number,
  { contextTokens, chunkTokens }: { contextTokens: number; chunkTokens: number },
): string {
  const full = Math.floor(tokens / contextTokens);
  const partial = full * (contextTokens % chunkTokens) + tokens % contextTokens % chunkTokens;
  const forgotten = tokens - inMemory - partial;
  return [
    `${path}: ${tokens} tokens, ${inMemory} of them in memory`,
    ...(forgotten > 0 ? [`${forgotten} forgotten, the oldest first, as the memory is full`] : []),
    ...(partial > 0 ? [`${partial} left out as they do not fill a chunk of ${chunkTokens}`] : []),
  ].join(", ");
}

/** Prints a prompt with the text after it, each part as soon as it is known where the output takes parts. */
async function printContinuation(
  prompt: string,
  generated: AsyncIterable<number>,
  tokenizer: Tokenizer,
  { print, write }: Output,
): Promise<void> {
  const stream = DecodeStream.after(tokenizer, prompt);
  let text = prompt;
  write?.(prompt);
  const add = (part: string) => {
    text += part;
    if (part !== "") write?.(part);
  };
  for await (const id of generated) add(stream.add(id));
  add(stream.end());
  if (write) write("\n");
  else print(text);
}

/** What the model is made of, and how it reads text. */
interface Source {
  readonly options: LoadLongMemOptions;
  readonly tokenizer: Tokenizer;
  readonly contextTokens: number;
  readonly chunkTokens: number;
  readonly lines: "plain" | "released-code";
  readonly unwrap: boolean;
}

async function openSource(args: CommandArguments, output: Output): Promise<Source> {
  const run = args.flags.get("run")?.at(-1);
  if (run === undefined) return await openCheckpoints(args, output);
  const surplus = ["backbone", "sidenet", "tokenizer"].find((flag) => args.flags.has(flag));
  if (surplus !== undefined) {
    throw new UsageError(`Cannot generate as --${surplus} must be left out where --run is given`);
  }
  return await reading(async () => {
    const { experiment, backbone, sideNet, memory, contextTokens } = await readFinishedRun(run);
    const { threads, corpus } = experiment;
    const { lines, unwrap } = corpus.kind === "files"
      ? corpus
      : { lines: "plain" as const, unwrap: false };
    return {
      options: {
        backbone,
        sidenet: sideNet,
        memory,
        ...(threads === undefined ? {} : { threads }),
      },
      tokenizer: await openTokenizer(await runTokenizer(run, experiment)),
      contextTokens,
      chunkTokens: memory.chunkTokens,
      lines,
      unwrap,
    };
  });
}

async function openCheckpoints(args: CommandArguments, output: Output): Promise<Source> {
  const backbonePath = requiredFlag(args, "backbone");
  const sideNetPath = args.flags.get("sidenet")?.at(-1);
  const asked = args.flags.get("tokenizer")?.at(-1);
  const source = await reading(async () => {
    if (asked !== undefined) return await tokenizerAt(asked);
    return sideNetPath !== undefined && await readFolderTokenizer(sideNetPath) ||
      await readFolderTokenizer(backbonePath);
  });
  if (!source) requiredFlag(args, "tokenizer");
  return await reading(async () => {
    const tokenizer = await openTokenizer(source!);
    const backbone = await loadBackboneWeights(backbonePath);
    checkVocabulary(tokenizer, backbone.shape, backbonePath);
    const sideNet = sideNetPath === undefined
      ? undefined
      : await loadSideNetWeights(sideNetPath, backbone.shape, {
        backboneHash: hashFrozen(backbone.weights),
      });
    if (!sideNet) {
      output.note("no SideNet is given: that of the backbone is initialised, untrained");
    }
    const memory = { ...paperMemory, ...sideNet?.memory };
    const most = architectureOf(backbone.shape).mostTokens?.(backbone.shape) ?? Infinity;
    return {
      options: { backbone, ...(sideNet && { sidenet: sideNet }), memory },
      tokenizer,
      contextTokens: backbone.contextTokens ?? Math.min(defaultContextTokens, most),
      chunkTokens: memory.chunkTokens,
      lines: "plain",
      unwrap: false,
    };
  });
}

/** Checks that a backbone has an embedding for every id of a tokenizer. */
function checkVocabulary(
  { vocabSize }: Tokenizer,
  shape: BackboneShape,
  path: string,
): void {
  if (vocabSize <= shape.vocabSize) return;
  throw new InputRangeError(
    `Cannot use the tokenizer with "${path}" as the backbone's vocabulary must hold the tokenizer's ${vocabSize} tokens: ` +
      `current size is ${shape.vocabSize}`,
  );
}

/** Ids that stand for text, and the one that ends it: fillers of a vocabulary and `<pad>` cannot be decoded. */
function textIds(tokenizer: Tokenizer): (id: number) => boolean {
  const { vocabSize, specialIds } = tokenizer;
  const allowed = new Uint8Array(vocabSize);
  for (let id = 0; id < vocabSize; id++) {
    if (textOf(tokenizer, id) !== undefined) allowed[id] = 1;
  }
  const { bos, eos, unk } = specialIds;
  allowed[bos] = 0;
  if (unk !== undefined) allowed[unk] = 0;
  allowed[eos] = 1; // may be the token that begins a document, too
  return (id) => allowed[id] === 1;
}

function readTemperature(args: CommandArguments): number {
  const text = args.flags.get("temperature")?.at(-1) ?? "1";
  const temperature = Number(text);
  if (text.trim() === "" || !(temperature >= 0 && temperature < Infinity)) {
    throw new UsageError(
      `Cannot read --temperature: current value is "${text}", allowed are numbers from 0`,
    );
  }
  return temperature;
}
