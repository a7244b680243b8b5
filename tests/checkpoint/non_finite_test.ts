/** Weights that are not finite are refused wherever weights come from, with file, tensor and place. */
import {
  loadBackboneWeights,
  loadCheckpoint,
  loadSideNetWeights,
} from "../../src/checkpoint/checkpoint.ts";
import { writeBackboneFolder, writeLongMemFolder } from "../../src/checkpoint/folder.ts";
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { inductionScores } from "../../src/evaluation/induction.ts";
import { isInputError } from "../../src/errors.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import type { TensorMap } from "../../src/tensor.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import {
  backboneShape,
  backboneWeights,
  fairseqBackboneBytes,
  fairseqLongMemBytes,
  memory,
  sideNetShape,
  sideNetWeights,
} from "./tiny_models.ts";

const backboneTensor = "transformer.h.2.mlp.fc_in.weight"; // [24, 6]
const sideNetTensor = "layers.1.self_attn.k_proj.weight"; // [6, 6]

/** The tensors, one of which has a number in row 3, column 1. */
function withNumber(weights: TensorMap, name: string, number: number): TensorMap {
  const { shape, data } = weights.get(name)!;
  assert.equal(shape[1], 6);
  const changed = data.slice();
  changed[3 * 6 + 1] = number;
  changed[4 * 6] = number; // a later one is not the first
  return new Map(weights).set(name, { shape, data: changed });
}

function prefixed(prefix: string, weights: TensorMap): TensorMap {
  return new Map([...weights].map(([name, tensor]) => [prefix + name, tensor]));
}

/** Replaces the weights in a folder of the project, and the record of their hash. */
async function replaceWeights(folder: string, file: string, weights: TensorMap): Promise<void> {
  await writeSafetensors(`${folder}/${file}`, weights);
  const { files: _, ...config } = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
}

for (const number of [NaN, Infinity, -Infinity]) {
  const badBackbone = withNumber(backboneWeights, backboneTensor, number);
  const badSideNet = withNumber(sideNetWeights, sideNetTensor, number);
  const backbone = { shape: backboneShape, weights: backboneWeights };
  const sideNet = { shape: sideNetShape, weights: sideNetWeights };
  const heads = { shape: { heads: backboneShape.heads } };

  test(`loading refuses ${number} in a weight, whatever the format`, () =>
    withFolder(async (folder) => {
      const refuses = (reading: Promise<unknown>, file: string, tensor: string) =>
        assert.rejects(reading, (error: Error) => {
          const expected = `Cannot read "${folder}/${file}" as the numbers of tensor "${tensor}" ` +
            `must be finite float32: current value at [3,1] is ${number}`;
          assert.equal(error.message, expected);
          return isInputError(error);
        });

      for (
        const [prefix, file] of [["", "bare.safetensors"], ["decoder.model.", "full.safetensors"]]
      ) {
        const path = `${folder}/${file}`;
        await writeSafetensors(path, prefixed(prefix, badBackbone));
        await refuses(loadBackboneWeights(path, heads), file, prefix + backboneTensor);
        await refuses(loadCheckpoint(path, heads), file, prefix + backboneTensor);
      }
      await writeSafetensors(`${folder}/side.safetensors`, prefixed("decoder.", badSideNet));
      await refuses(
        loadSideNetWeights(`${folder}/side.safetensors`, backboneShape, { shape: sideNetShape }),
        "side.safetensors",
        `decoder.${sideNetTensor}`,
      );

      const official = `decoder.model.${backboneTensor}`;
      const { shape, data } = badBackbone.get(backboneTensor)!;
      const changed = { shape: [...shape], data };
      await Deno.writeFile(
        `${folder}/backbone.pt`,
        fairseqBackboneBytes({ tensors: { [official]: changed } }),
      );
      await refuses(loadBackboneWeights(`${folder}/backbone.pt`), "backbone.pt", official);
      await refuses(loadCheckpoint(`${folder}/backbone.pt`), "backbone.pt", official);
      const inner = `decoder.pretrained_model.${official}`;
      await Deno.writeFile(
        `${folder}/longmem.pt`,
        fairseqLongMemBytes({ tensors: { [inner]: changed } }),
      );
      await refuses(loadBackboneWeights(`${folder}/longmem.pt`), "longmem.pt", inner);
      const side = badSideNet.get(sideNetTensor)!;
      await Deno.writeFile(
        `${folder}/side.pt`,
        fairseqLongMemBytes({
          tensors: {
            [`decoder.${sideNetTensor}`]: { shape: [...side.shape], data: side.data },
          },
        }),
      );
      await refuses(
        loadSideNetWeights(`${folder}/side.pt`, backboneShape),
        "side.pt",
        `decoder.${sideNetTensor}`,
      );

      await writeBackboneFolder(`${folder}/backbone`, backbone);
      await replaceWeights(`${folder}/backbone`, "backbone.safetensors", badBackbone);
      const inBackbone = "backbone/backbone.safetensors";
      await refuses(loadBackboneWeights(`${folder}/backbone`), inBackbone, backboneTensor);
      await writeLongMemFolder(`${folder}/longmem`, { backbone, sideNet, memory });
      await replaceWeights(`${folder}/longmem`, "sidenet.safetensors", badSideNet);
      const inLongMem = "longmem/sidenet.safetensors";
      await refuses(
        loadSideNetWeights(`${folder}/longmem`, backboneShape),
        inLongMem,
        sideNetTensor,
      );
      await refuses(loadCheckpoint(`${folder}/longmem`), inLongMem, sideNetTensor);
    }));

  test(`models in memory and folders to be written must not have ${number} in a weight`, () =>
    withFolder(async (folder) => {
      const bad = { shape: backboneShape, weights: badBackbone };
      const badSide = { shape: sideNetShape, weights: badSideNet };
      const message = (verb: string, what: string, tensor: string) => ({
        message: `Cannot ${verb} "${what}" as the numbers of tensor "${tensor}" must be finite ` +
          `float32: current value at [3,1] is ${number}`,
      });
      const device = "cpu";
      await assert.rejects(
        loadLongMem({ backbone: bad, device }),
        message("read", "backbone", backboneTensor),
      );
      await assert.rejects(
        loadLongMem({ backbone, sidenet: badSide, device }),
        message("read", "sidenet", sideNetTensor),
      );
      await assert.rejects(
        inductionScores(bad, { device }),
        message("read", "backbone", backboneTensor),
      );
      const path = `${folder}/new`;
      await assert.rejects(
        writeBackboneFolder(path, bad),
        message("write", `${path}/backbone.safetensors`, backboneTensor),
      );
      await assert.rejects(
        writeLongMemFolder(path, { backbone, sideNet: badSide, memory }),
        message("write", `${path}/sidenet.safetensors`, sideNetTensor),
      );
      await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
    }));
}

test("loading refuses float64 weights beyond float32", () =>
  withFolder(async (folder) => {
    // The file is written as float32 and its header changed: two float32 numbers are one float64.
    const path = `${folder}/wide.safetensors`;
    const name = "lm_head.bias"; // [5]
    const wide = new Float64Array(5).fill(1);
    wide[2] = 1e39;
    const data = new Float32Array(wide.buffer);
    await writeSafetensors(path, new Map(backboneWeights).set(name, { shape: [10], data }));
    const bytes = await Deno.readFile(path);
    const text = new TextDecoder("latin1").decode(bytes);
    const from = `"${name}":{"dtype":"F32","shape":[10]`;
    const at = text.indexOf(from);
    bytes.set(new TextEncoder().encode(`"${name}":{"dtype":"F64","shape":[5] `), at);
    await Deno.writeFile(path, bytes);
    await assert.rejects(
      loadBackboneWeights(path, { shape: { heads: 3 } }),
      /tensor "lm_head\.bias" must be finite float32: current value at \[2\] is Infinity$/,
    );
  }));

test("loading refuses a weight of a Hugging Face repository that is not finite, whichever part of ours it is", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/config.json`,
      `{"model_type":"gpt2","n_embd":4,"n_layer":1,"n_head":2,"n_positions":8,"vocab_size":5}`,
    );
    const shapes = {
      "wte.weight": [5, 4],
      "wpe.weight": [8, 4],
      "h.0.ln_1.weight": [4],
      "h.0.ln_1.bias": [4],
      "h.0.attn.c_attn.weight": [4, 12],
      "h.0.attn.c_attn.bias": [12],
      "h.0.attn.c_proj.weight": [4, 4],
      "h.0.attn.c_proj.bias": [4],
      "h.0.ln_2.weight": [4],
      "h.0.ln_2.bias": [4],
      "h.0.mlp.c_fc.weight": [4, 16],
      "h.0.mlp.c_fc.bias": [16],
      "h.0.mlp.c_proj.weight": [16, 4],
      "h.0.mlp.c_proj.bias": [4],
      "ln_f.weight": [4],
      "ln_f.bias": [4],
    };
    const path = `${folder}/model.safetensors`;
    const weights: TensorMap = new Map(
      Object.entries(shapes).map(([name, shape]) => [
        `transformer.${name}`,
        { shape, data: new Float32Array(shape[0] * (shape[1] ?? 1)).fill(0.5) },
      ]),
    );
    await writeSafetensors(path, weights);
    assert.equal((await loadBackboneWeights(folder)).shape.hiddenDim, 4);
    for (const [name, { shape, data }] of weights) {
      const changed = data.slice();
      changed[changed.length - 1] = NaN; // of a fused tensor, the values
      await writeSafetensors(path, new Map(weights).set(name, { shape, data: changed }));
      await assert.rejects(loadBackboneWeights(folder), {
        message:
          `Cannot read "${path}" as the numbers of tensor "${name}" must be finite float32: ` +
          `current value at [${shape.map((size) => size - 1)}] is NaN`,
      });
    }
  }));
