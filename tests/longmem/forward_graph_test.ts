/** Sizes of what a forward pass computes at a time. */
import { buildForward, headBlocks, headLoss } from "../../src/longmem/forward_graph.ts";
import { memoryProtocols, paperMemory } from "../../src/memory/config.ts";
import type { WebGpuDevice } from "../../src/runtime/webgpu_device.ts";
import { elementCount } from "../../src/tensor.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert } from "../testing.ts";

deviceTest("At the released sizes no operator sees more than a GPU's shaders can", (device) => {
  const { maxStorageBufferBindingSize } = (device as WebGpuDevice).gpu.limits;
  const { blockBytes } = device;
  const backbone = {
    layers: 24,
    hiddenDim: 1024,
    heads: 16,
    feedForwardDim: 4096,
    vocabSize: 51_200,
  };
  for (const [rows, capacityTokens] of [[1, 65_536], [8, 65_536], [1, 2 ** 20]]) {
    const bank = {
      banks: 1,
      heads: 16,
      headDim: 64,
      capacityChunks: capacityTokens / 4,
      chunkTokens: 4,
    };
    const config = { ...paperMemory, ...memoryProtocols["released-code"], capacityTokens };
    const forward = buildForward({
      backbone,
      network: "longmem",
      part: { layers: 12, reductionFactor: 2, memoryBlock: 17 },
      memory: { bank, config, type: "float32", outside: false },
      rows,
      contextTokens: 1024,
      padded: false,
      blockBytes,
    });
    headLoss(forward, { blocks: headBlocks(forward, { blockBytes }), frozen: true });
    const silent = ["Softmax", "Where", "TopK"]; // in failing
    const nodes = forward.graph.nodes.filter(({ op }) => silent.includes(op));
    assert.deepEqual([...new Set(nodes.map(({ op }) => op))].sort(), ["Softmax", "TopK"]);
    for (const { op, inputs, outputs } of nodes) {
      for (const value of [...inputs, ...outputs]) {
        const bytes = value ? 4 * elementCount(value.shape) : 0;
        assert.ok(
          bytes <= maxStorageBufferBindingSize,
          `${value?.name} of ${op} takes ${bytes} bytes`,
        );
      }
    }
  }
  return Promise.resolve();
}, { kinds: ["webgpu"] });
