/** The model of a command line: that of a finished run, or one of checkpoints. */
import { architectureOf } from "../backbone/architectures.ts";
import { defined } from "../defined.ts";
import { loadBackboneWeights, loadSideNetWeights } from "../checkpoint/checkpoint.ts";
import { readFolderTokenizer } from "../checkpoint/folder.ts";
import { treatmentOf } from "../text/corpora/corpora.ts";
import { loadLongMem, type LoadLongMemOptions } from "../checkpoint/load.ts";
import { checkTokens, checkVocabulary } from "../checkpoint/vocabulary.ts";
import {
  type CommandArguments,
  type Flag,
  lastValue,
  type Output,
  positiveInteger,
  reading,
  UsageError,
} from "../command_line.ts";
import { hashFrozen } from "../formats/tensor_hash.ts";
import type { LongMemModel } from "../longmem/longmem_model.ts";
import { type MemoryConfig, paperMemory } from "../memory/config.ts";
import { readFinishedRun, runTokenizer } from "../runner/load_trained_model.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import {
  openTokenizer,
  tokenizerAt,
  tokenizerPathOf,
  type TokenizerSource,
} from "../text/tokenizers/tokenizers.ts";
import { deviceFlag, deviceOf } from "./device_flag.ts";

/** Tokens of a window where the checkpoint does not say on how many it was trained. */
const defaultContextTokens = 512;

/** `--offline`, which other programs take. */
export const offlineFlag: Flag = {
  name: "offline",
  help: "no effect: only `deno task data` fetches anything",
};

/** Flags that name a model and how it is run. */
export const modelFlags: readonly Flag[] = [
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
    help: "a tokenizer.json or vocab.json, or a folder of encoder.json, vocab.bpe and dict.txt " +
      "(default that of the checkpoint's folder)",
  },
  { name: "context", value: "N", help: "tokens of the window (default as trained)" },
  { name: "capacity", value: "N", help: "tokens that the memory holds (default as trained)" },
  {
    name: "place",
    value: "PLACE",
    allowed: ["ram", "file"],
    help:
      "where the memory lies, in RAM or, where it is larger, in a file (default as declared, or ram)",
  },
  offlineFlag,
  deviceFlag,
];

/** Loads the model of a source on the device that a command line asks for; to be closed. */
export function openModel(
  args: CommandArguments,
  { options }: Pick<ModelSource, "options">,
): Promise<LongMemModel> {
  return reading(() => loadLongMem({ ...options, ...defined({ device: deviceOf(args) }) }));
}

/** Parts of the model, and its tokenizer. */
export interface ModelSource {
  readonly options: LoadLongMemOptions;
  readonly tokenizer: Tokenizer;
  /** Its `tokenizer.json`; absent where it is another kind of file. */
  readonly tokenizerPath?: string;
  readonly contextTokens: number;
  readonly chunkTokens: number;
  readonly lines: "plain" | "released-code";
  readonly unwrap: boolean;
}

/** Opens the model that a command line names: a finished run, or checkpoints. */
export async function openSource(
  args: CommandArguments,
  output: Output,
): Promise<ModelSource> {
  const run = lastValue(args, "run");
  const given = positiveInteger(args, "context");
  const source = run === undefined ? await openCheckpoints(args, output) : await openRun(args, run);
  const { options } = source;
  const capacityTokens = positiveInteger(args, "capacity");
  const { retrievedTokens = 0 } = options.memory ?? {};
  if (capacityTokens !== undefined && capacityTokens < retrievedTokens) {
    throw new UsageError(
      `Cannot read --capacity: current value is "${capacityTokens}", ` +
        `allowed are integers from ${retrievedTokens}, the tokens that the model retrieves`,
    );
  }
  const memory = {
    ...options.memory,
    ...defined({
      capacityTokens,
      place: lastValue(args, "place") as MemoryConfig["place"],
    }),
  };
  return {
    ...source,
    options: { ...options, memory },
    contextTokens: given ?? source.contextTokens,
  };
}

async function openRun(args: CommandArguments, run: string): Promise<ModelSource> {
  const surplus = ["backbone", "sidenet", "tokenizer"].find((flag) => args.flags.has(flag));
  if (surplus !== undefined) {
    throw new UsageError(`Cannot use --${surplus} with --run: allowed is one of them`);
  }
  return await reading(async () => {
    const { experiment, backbone, sideNet, memory, contextTokens } = await readFinishedRun(run);
    const { threads, corpus } = experiment;
    const { lines, unwrap } = treatmentOf(corpus);
    return {
      options: defined({ backbone, sidenet: sideNet, memory, threads }),
      ...await openTokenizerOf(await runTokenizer(run, experiment)),
      contextTokens,
      chunkTokens: memory.chunkTokens,
      lines,
      unwrap,
    };
  });
}

async function openCheckpoints(args: CommandArguments, output: Output): Promise<ModelSource> {
  const backbonePath = lastValue(args, "backbone");
  if (!backbonePath) throw new UsageError("Missing required flag --run, or else --backbone");
  const sideNetPath = lastValue(args, "sidenet");
  const asked = lastValue(args, "tokenizer");
  const source = await reading(async () => {
    if (asked !== undefined) return await tokenizerAt(asked);
    return sideNetPath !== undefined && await readFolderTokenizer(sideNetPath) ||
      await readFolderTokenizer(backbonePath);
  });
  const backbone = await reading(() => loadBackboneWeights(backbonePath));
  if (!source) {
    throw new UsageError(
      `Missing required flag --tokenizer, as no tokenizer lies beside "${backbonePath}"`,
    );
  }
  return await reading(async () => {
    const opened = await openTokenizerOf(source), { tokenizer } = opened;
    const of = `the tokenizer with "${backbonePath}"`;
    checkVocabulary(tokenizer, backbone.shape, { of });
    if (asked !== undefined) {
      await checkTokens(tokenizer, () => readFolderTokenizer(backbonePath), { of });
    }
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
      options: defined({ backbone, sidenet: sideNet, memory }),
      ...opened,
      contextTokens: backbone.contextTokens ?? Math.min(defaultContextTokens, most),
      chunkTokens: memory.chunkTokens,
      lines: "plain",
      unwrap: false,
    };
  });
}

async function openTokenizerOf(
  source: TokenizerSource,
): Promise<Pick<ModelSource, "tokenizer" | "tokenizerPath">> {
  const tokenizer = await openTokenizer(source), tokenizerPath = tokenizerPathOf(source);
  return { tokenizer, ...(tokenizerPath !== undefined && { tokenizerPath }) };
}
