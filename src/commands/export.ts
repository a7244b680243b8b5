import { backboneMetadata, loadCheckpoint, sideNetMetadata } from "../checkpoint/checkpoint.ts";
import type { LongMemFolder } from "../checkpoint/folder.ts";
import { writeFairseqBackbone, writeFairseqLongMem } from "../checkpoint/fairseq_writer.ts";
import { writeSafetensors } from "../formats/safetensors.ts";
import { hashFrozen, hashTensors } from "../formats/tensor_hash.ts";
import {
  type Command,
  type CommandArguments,
  newFile,
  onlyOperand,
  type Output,
  reading,
} from "../command_line.ts";
import { isRunFolder, readFinishedRun } from "../runner/load_trained_model.ts";
import type { TensorMap } from "../tensor.ts";
import { InputTypeError } from "../errors.ts";
import type { BackboneCheckpoint } from "../backbone/shape.ts";
import { summaries } from "./summaries.ts";

/** `export FOLDER --out FILE`: official tensor names in safetensors, or the official checkpoint (`.pt`), for other programs. */
export function exportCommand(output: Output): Command {
  return {
    ...summaries.export,
    operandsArePaths: true,
    flags: [
      { name: "out", value: "FILE", isPath: true, help: "where to write; must not exist" },
      {
        name: "what",
        value: "PART",
        allowed: ["backbone", "sidenet"],
        help: "which part (default sidenet where there is one)",
      },
      {
        name: "format",
        value: "FORMAT",
        allowed: ["safetensors", "fairseq"],
        help:
          "format of the file (default fairseq where FILE ends in .pt, else safetensors); fairseq's holds a SideNet with its backbone",
      },
    ],
    execute: (args) => exportCheckpoint(args, output),
  };
}

async function exportCheckpoint(args: CommandArguments, output: Output): Promise<number> {
  const folder = onlyOperand(args, "export");
  const out = await newFile(args, "out");
  const checkpoint = await reading(async () =>
    await isRunFolder(folder) ? await readFinishedRun(folder) : await loadCheckpoint(folder)
  );
  const part = args.flags.get("what")?.at(-1) ?? ("sideNet" in checkpoint ? "sidenet" : "backbone");
  const format = args.flags.get("format")?.at(-1) ??
    (out.endsWith(".pt") ? "fairseq" : "safetensors");
  if (format === "fairseq") {
    await reading(() => writeOfficial(out, { folder, checkpoint, part }));
    output.print(`${out}: ${(await Deno.stat(out)).size} bytes in the official format`);
    return 0;
  }
  const { tensors, metadata } = await reading(() =>
    Promise.resolve(
      part === "backbone"
        ? backboneTensors(folder, checkpoint)
        : sideNetTensors(folder, checkpoint),
    )
  );
  await reading(() => writeSafetensors(out, tensors, metadata));
  output.print(
    `${out}: ${tensors.size} tensors, ${[...tensors.keys()][0]} and so on, SHA-256 of tensors ${
      hashTensors(tensors)
    }`,
  );
  return 0;
}

/** Writes a backbone, or a LongMem with its backbone, as the released code saves it. */
async function writeOfficial(
  out: string,
  { folder, checkpoint, part }: {
    readonly folder: string;
    readonly checkpoint: BackboneCheckpoint | LongMemFolder;
    readonly part: string;
  },
): Promise<void> {
  const { shape, weights, contextTokens } = "sideNet" in checkpoint
    ? checkpoint.backbone
    : checkpoint;
  if (!weights) {
    throw new InputTypeError(
      `Cannot export "${folder}" in the official format as it leaves its backbone out, which that has in the same file`,
    );
  }
  const backbone = { shape, weights, ...(contextTokens === undefined ? {} : { contextTokens }) };
  if (part === "backbone") return await writeFairseqBackbone(out, backbone);
  if (!("sideNet" in checkpoint)) {
    throw new InputTypeError(`Cannot export the SideNet of "${folder}" as it is a backbone alone`);
  }
  const { sideNet, memory } = checkpoint;
  await writeFairseqLongMem(out, { backbone, sideNet, memory });
}

interface Exported {
  readonly tensors: TensorMap;
  readonly metadata: Record<string, string>;
}

function backboneTensors(
  folder: string,
  checkpoint: BackboneCheckpoint | LongMemFolder,
): Exported {
  const { shape, weights } = "sideNet" in checkpoint ? checkpoint.backbone : checkpoint;
  if (!weights) {
    throw new InputTypeError(
      `Cannot export the backbone of "${folder}" as it leaves its backbone out`,
    );
  }
  return { tensors: prefixed("decoder.model.", weights), metadata: backboneMetadata(shape) };
}

function sideNetTensors(
  folder: string,
  checkpoint: BackboneCheckpoint | LongMemFolder,
): Exported {
  if (!("sideNet" in checkpoint)) {
    throw new InputTypeError(`Cannot export the SideNet of "${folder}" as it is a backbone alone`);
  }
  const { sideNet, memory, backbone, backboneHash } = checkpoint;
  const hash = backbone.weights ? hashFrozen(backbone.weights) : backboneHash;
  return {
    tensors: prefixed("decoder.", sideNet.weights),
    metadata: sideNetMetadata({ ...sideNet, memory, ...(hash ? { backboneHash: hash } : {}) }),
  };
}

function prefixed(prefix: string, tensors: TensorMap): TensorMap {
  return new Map([...tensors].map(([name, tensor]) => [prefix + name, tensor]));
}
