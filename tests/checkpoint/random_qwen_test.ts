import { readHuggingFaceShape } from "../../src/checkpoint/huggingface.ts";
import { backboneTensorShapes } from "../../src/backbone/architectures.ts";
import { elementCount } from "../../src/tensor.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { qwenSizes, runRandomQwen, writeRandomQwen } from "./random_qwen.ts";

test("A model of Qwen's kind in two files of 16-bit numbers runs with a full memory", () =>
  withFolder(async (folder) => {
    const sizes = { ...qwenSizes, hidden: 28, inner: 40, layers: 4, vocabSize: 300 };
    await writeRandomQwen(folder, sizes);
    const run = { tokens: 32, contextTokens: 16, capacityTokens: 128 };
    const { chunks, logits } = await runRandomQwen(folder, run);
    assert.deepEqual(chunks, [128 / 4]);
    assert.equal(logits.length, 16 * 300);
    assert.ok(logits.every(Number.isFinite) && new Set(logits).size > 1_000);
    const shape = { ...await readHuggingFaceShape(folder), layers: 24 };
    const full = { ...shape, hiddenDim: 896, feedForwardDim: 4864, vocabSize: 151_936 };
    const settings = { ...full.settings, headDim: 64 };
    const parameters = [...backboneTensorShapes({ ...full, settings }).values()]
      .reduce((sum, sizes) => sum + elementCount(sizes), 0);
    assert.equal(parameters, 494_032_768, "the script's own shape is that of Qwen2.5-0.5B");
  }));
