import { backboneMetadata, loadCheckpoint, sideNetMetadata } from "../checkpoint/checkpoint.ts";
import { defined } from "../defined.ts";
import type { LongMemFolder } from "../checkpoint/folder.ts";
import { writeFairseqBackbone, writeFairseqLongMem } from "../checkpoint/fairseq_writer.ts";
import { writeSafetensors } from "../formats/safetensors.ts";
import { hashFrozen, hashTensors } from "../formats/tensor_hash.ts";
import {
  type Command,
  type CommandArguments,
  lastValue,
  newFile,
  onlyOperand,
  type Output,
  reading,
  writeNewFile,
} from "../command_line.ts";
import { isRunFolder, readFinishedRun } from "../runner/load_trained_model.ts";
import type { TensorMap } from "../tensor.ts";
import { InputError } from "../errors.ts";

/** `export FOLDER --out FILE`: official tensor names in safetensors, or the official checkpoint (`.pt`), for other programs. */
export function exportCommand(output: Output): Command {
  return {
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
  const whole = "sideNet" in checkpoint ? checkpoint : undefined;
  const part = lastValue(args, "what") ?? (whole ? "sidenet" : "backbone");
  const format = lastValue(args, "format") ?? (out.endsWith(".pt") ? "fairseq" : "safetensors");
  if (part === "sidenet" && !whole) {
    throw new InputError(`Cannot export the SideNet of "${folder}" as it is a backbone alone`);
  }
  const { weights, ...backbone }: LongMemFolder["backbone"] = "sideNet" in checkpoint
    ? checkpoint.backbone
    : checkpoint;
  if (!weights && (part === "backbone" || format === "fairseq")) {
    throw new InputError(
      format === "fairseq"
        ? `Cannot export "${folder}" in the official format as it leaves its backbone out, which that has in the same file`
        : `Cannot export the backbone of "${folder}" as it leaves its backbone out`,
    );
  }
  const sideNet = part === "sidenet" ? whole : undefined;
  if (format === "fairseq") {
    const official = { ...backbone, weights: weights! };
    await writeNewFile(
      out,
      () =>
        reading(() =>
          sideNet
            ? writeFairseqLongMem(out, { ...sideNet, backbone: official })
            : writeFairseqBackbone(out, official)
        ),
    );
    output.print(`${out}: ${(await Deno.stat(out)).size} bytes in the official format`);
    return 0;
  }
  const tensors = sideNet
    ? prefixed("decoder.", sideNet.sideNet.weights)
    : prefixed("decoder.model.", weights!);
  const metadata = sideNet ? metadataOf(sideNet) : backboneMetadata(backbone.shape);
  await writeNewFile(out, () => reading(() => writeSafetensors(out, tensors, metadata)));
  output.print(
    `${out}: ${tensors.size} tensors, ${[...tensors.keys()][0]} and so on, SHA-256 of tensors ${
      hashTensors(tensors)
    }`,
  );
  return 0;
}

function metadataOf({ sideNet, memory, backbone, backboneHash }: LongMemFolder) {
  const hash = backbone.weights ? hashFrozen(backbone.weights) : backboneHash;
  return sideNetMetadata({ ...sideNet, memory, ...defined({ backboneHash: hash }) });
}

function prefixed(prefix: string, tensors: TensorMap): TensorMap {
  return new Map([...tensors].map(([name, tensor]) => [prefix + name, tensor]));
}
