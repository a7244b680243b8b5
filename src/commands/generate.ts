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
import { textOf, type Tokenizer } from "../text/tokenizer.ts";
import { openTokenizer } from "../text/tokenizer_source.ts";
import { readFolderTokenizer } from "../checkpoint/folder.ts";
import { tokenizerAt } from "../checkpoint/folder_tokenizer.ts";
import { deviceFlag, deviceOf } from "./device_flag.ts";
import { summaries } from "./summaries.ts";

/** Tokens of a window where the checkpoint does not say on how many it was trained. */
const defaultContextTokens = 512;

/** `generate`: text from a model that has a long document in its memory. */
export function generateCommand(output: Output): Command {
  return {
    ...summaries.generate,
    flags: [
      {
        name: "run",
        value: "FOLDER",
        isPath: true,
        help: "a finished run, results/<experiment>/<run>",
      },
      { name: "backbone", value: "PATH", isPath: true, help: "checkpoint of the backbone" },
      { name: "sidenet", value: "PATH", isPath: true, help: "checkpoint of the SideNet" },
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
      deviceFlag,
    ],
    execute: (args) => generateText(args, output),
  };
}

async function generateText(args: CommandArguments, output: Output): Promise<number> {
  if (args.operands.length > 0) {
    throw new UsageError(`Cannot generate from "${args.operands[0]}" as it follows no flag`);
  }
  const path = requiredFlag(args, "document");
  const tokens = positiveInteger(args, "tokens") ?? 100;
  const temperature = readTemperature(args);
  const device = deviceOf(args);
  const given = positiveInteger(args, "context");

  const source = await openSource(args);
  const { tokenizer, options, lines, unwrap, chunkTokens } = source;
  const contextTokens = given ?? source.contextTokens;
  const file: DocumentFile = { name: path, path };
  const document = tokenizeDocument(await reading(() => readDocument(file)), tokenizer, {
    lines,
    unwrap,
  });
  const model = await reading(() => loadLongMem({ ...options, ...(device ? { device } : {}) }));
  try {
    await reading(() => rememberDocument(model, document.tokens, { contextTokens, chunkTokens }));
    output.note(
      `${path}: ${document.tokens.length} tokens, ${
        (model.memoryFillChunks[0] ?? 0) * chunkTokens
      } of them in memory`,
    );
    const { bos, eos } = tokenizer.specialIds;
    const prompt = args.flags.get("prompt")?.at(-1) ?? "";
    const ids: number[] = [];
    const generated = generate(model, {
      prompt: [bos, ...tokenizer.encode(prompt)],
      tokens,
      contextTokens,
      temperature,
      seed: args.flags.get("seed")?.at(-1) ?? 1,
      allows: textIds(tokenizer),
      end: eos,
    });
    for await (const id of generated) ids.push(id);
    // Decoded at once: a character may take several tokens.
    output.print(prompt + tokenizer.decode(ids));
    return 0;
  } finally {
    await model.close();
  }
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

async function openSource(args: CommandArguments): Promise<Source> {
  const run = args.flags.get("run")?.at(-1);
  if (run === undefined) return await openCheckpoints(args);
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
      tokenizer: await openTokenizer(runTokenizer(run, experiment)),
      contextTokens,
      chunkTokens: memory.chunkTokens,
      lines,
      unwrap,
    };
  });
}

async function openCheckpoints(args: CommandArguments): Promise<Source> {
  const [backbonePath, sideNetPath] = ["backbone", "sidenet"].map((flag) =>
    requiredFlag(args, flag)
  );
  const asked = args.flags.get("tokenizer")?.at(-1);
  const tokenizer = await reading(async () =>
    asked === undefined
      ? await readFolderTokenizer(sideNetPath) ?? await readFolderTokenizer(backbonePath)
      : await tokenizerAt(asked)
  );
  if (!tokenizer) requiredFlag(args, "tokenizer");
  return await reading(async () => {
    const backbone = await loadBackboneWeights(backbonePath);
    const sideNet = await loadSideNetWeights(sideNetPath, backbone.shape, {
      backboneHash: hashFrozen(backbone.weights),
    });
    const memory = { ...paperMemory, ...sideNet.memory };
    return {
      options: { backbone, sidenet: sideNet, memory },
      tokenizer: await openTokenizer(tokenizer!),
      contextTokens: backbone.contextTokens ?? defaultContextTokens,
      chunkTokens: memory.chunkTokens,
      lines: "plain",
      unwrap: false,
    };
  });
}

/** Ids that stand for text, and the one that ends it: fillers of a vocabulary and `<pad>` cannot be decoded. */
function textIds(tokenizer: Tokenizer): (id: number) => boolean {
  const { vocabSize, specialIds } = tokenizer;
  const allowed = new Uint8Array(vocabSize);
  for (let id = 0; id < vocabSize; id++) {
    if (textOf(tokenizer, id) !== undefined) allowed[id] = 1;
  }
  allowed[specialIds.bos] = allowed[specialIds.unk] = 0;
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
