import {
  loadBackboneWeights,
  loadCheckpoint,
  loadSideNetWeights,
} from "../checkpoint/checkpoint.ts";
import type { MemorySizes } from "../memory/config.ts";
import {
  type LongMemFolder,
  readFolderTokenizer,
  writeBackboneFolder,
  writeLongMemFolder,
} from "../checkpoint/folder.ts";
import { parameterCount } from "../checkpoint/parameter_count.ts";
import { hashFrozen } from "../formats/tensor_hash.ts";
import {
  type Command,
  type CommandArguments,
  lastValue,
  newPath,
  onlyOperand,
  type Output,
  positiveInteger,
  reading,
  UsageError,
} from "../command_line.ts";
import { paperMemory } from "../memory/config.ts";
import {
  adaptsSideNet,
  isRunFolder,
  readFinishedRun,
  readPretrainedBackbone,
  runTokenizer,
} from "../runner/load_trained_model.ts";
import type { TensorMap } from "../tensor.ts";
import { tokenizerAt, type TokenizerSource } from "../text/tokenizers/tokenizers.ts";
import type { BackboneCheckpoint } from "../backbone/shape.ts";

/** `import PATH --out FOLDER`: a checkpoint of another format becomes a folder of this project. */
export function importCommand(output: Output): Command {
  return {
    operandsArePaths: true,
    flags: [
      { name: "out", value: "FOLDER", isPath: true, help: "where to write; must not exist" },
      {
        name: "heads",
        value: "N",
        help: "attention heads, which a safetensors file does not record",
      },
      {
        name: "backbone",
        value: "PATH",
        isPath: true,
        help: "the backbone, for a safetensors file with only a SideNet",
      },
      {
        name: "memory-block",
        value: "N",
        help: "block of the backbone that is cached, which a safetensors file does not record",
      },
      {
        name: "tokenizer",
        value: "PATH",
        isPath: true,
        help:
          "a tokenizer.json or vocab.json, or a folder of encoder.json, vocab.bpe and dict.txt, to carry along " +
          "(default that of the run or the folder)",
      },
      { name: "float16", help: "round the weights of a backbone, which takes half the room" },
    ],
    execute: (args) => importCheckpoint(args, output),
  };
}

async function importCheckpoint(args: CommandArguments, output: Output): Promise<number> {
  const path = onlyOperand(args, "import");
  const folder = await newPath(args, "out");
  const heads = positiveInteger(args, "heads");
  const memoryBlock = wholeNumber(args, "memory-block");
  const asked = lastValue(args, "tokenizer");
  const { checkpoint, tokenizer } = await reading(() =>
    readForImport(path, {
      backbone: lastValue(args, "backbone"),
      heads,
      memoryBlock,
    }, output)
  );
  const isRounded = args.flags.has("float16");
  if (isRounded && "sideNet" in checkpoint) {
    throw new UsageError(
      "Cannot round the weights of a LongMem as its SideNet was trained beside the exact ones: --float16 is for backbones alone",
    );
  }
  await reading(async () => {
    const extras = { tokenizer: asked === undefined ? tokenizer : await tokenizerAt(asked) };
    if ("sideNet" in checkpoint) await writeLongMemFolder(folder, checkpoint, extras);
    else {
      const floats = isRounded ? "float16" : "float32";
      await writeBackboneFolder(folder, checkpoint, { ...extras, floats });
    }
  });
  const { shape, weights } = "sideNet" in checkpoint ? checkpoint.backbone : checkpoint;
  if (weights) output.print(describe("backbone", shape, weights));
  if ("sideNet" in checkpoint) {
    const { sideNet, memory } = checkpoint;
    output.print(describe("SideNet", sideNet.shape, sideNet.weights));
    output.print(`memory: ${fields(memory)}`);
  }
  output.print(`written to ${folder}`);
  return 0;
}

/** The model to write, and the tokenizer beside it: a run's, or the one already in the folder. */
interface Imported {
  readonly checkpoint: BackboneCheckpoint | LongMemFolder;
  readonly tokenizer: TokenizerSource | undefined;
}

interface Given {
  readonly backbone: string | undefined;
  readonly heads: number | undefined;
  readonly memoryBlock: number | undefined;
}

async function readForImport(
  path: string,
  { backbone: backbonePath, heads, memoryBlock }: Given,
  output: Output,
): Promise<Imported> {
  if (await isRunFolder(path)) {
    if (!await adaptsSideNet(path)) {
      const { experiment, backbone } = await readPretrainedBackbone(path);
      return { checkpoint: backbone, tokenizer: await runTokenizer(path, experiment) };
    }
    const { experiment, backbone, sideNet, memory, contextTokens } = await readFinishedRun(path);
    return {
      // The context length and memory sizes of the SideNet's training, as when a run itself generates.
      checkpoint: {
        backbone: { ...backbone, contextTokens },
        sideNet,
        memory: memorySizes(memory),
      },
      tokenizer: await runTokenizer(path, experiment),
    };
  }
  const shape = heads === undefined ? {} : { shape: { heads } };
  if (backbonePath === undefined) {
    return {
      checkpoint: await loadCheckpoint(path, shape),
      tokenizer: await readFolderTokenizer(path),
    };
  }
  const backbone = await loadBackboneWeights(backbonePath, shape);
  const { shape: sizes, weights, memory } = await loadSideNetWeights(path, backbone.shape, {
    ...(memoryBlock === undefined ? {} : { shape: { memoryBlock } }),
    backboneHash: hashFrozen(backbone.weights),
  });
  if (!memory) {
    output.note(`"${path}" does not say which memory it was trained with: taking the paper's`);
  }
  return {
    checkpoint: {
      backbone,
      sideNet: { shape: sizes, weights },
      memory: memory ?? memorySizes(paperMemory),
    },
    tokenizer: await readFolderTokenizer(backbonePath),
  };
}

function memorySizes({ capacityTokens, chunkTokens, retrievedTokens }: MemorySizes): MemorySizes {
  return { capacityTokens, chunkTokens, retrievedTokens };
}

/** Blocks are counted from 0, so that 0 is allowed. */
function wholeNumber(args: CommandArguments, flag: string): number | undefined {
  return lastValue(args, flag) === "0" ? 0 : positiveInteger(args, flag);
}

function describe(what: string, shape: object, weights: TensorMap): string {
  const count = parameterCount(new Map([...weights].map(([name, { shape }]) => [name, shape])));
  return `${what}: ${fields(shape)}\n` +
    `  ${count.toLocaleString("en")} parameters in ${weights.size} tensors, SHA-256 ${
      hashFrozen(weights)
    }`;
}

function fields(sizes: object): string {
  const text = (value: unknown) => typeof value === "object" ? JSON.stringify(value) : `${value}`;
  return Object.entries(sizes).map(([name, size]) => `${name} ${text(size)}`).join(", ");
}
