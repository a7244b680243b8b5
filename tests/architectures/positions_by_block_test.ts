/** Blocks of one model with windows or positions of their own, and the layers of SideNets that are copies of them. */
import type { BackboneCheckpoint, BackboneShape } from "../../src/backbone/shape.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";
import { randomBackbone, randomIds, randomSideNet, smallShapes } from "./small_models.ts";

const tokens = randomIds(11, "tokens");
const onHost = { kinds: ["cpu"] } as const;

/** A small backbone with other settings. */
function backboneOf(architecture: string, settings: BackboneShape["settings"]): BackboneCheckpoint {
  const shape = smallShapes().find((shape) => shape.architecture === architecture)!;
  return randomBackbone({ ...shape, settings: { ...shape.settings, ...settings } });
}

/** The same model of some of its blocks alone. */
function withBlocks(
  { shape, weights }: BackboneCheckpoint,
  blocks: readonly number[],
  settings: BackboneShape["settings"],
): BackboneCheckpoint {
  const kept = [...weights].flatMap(([name, tensor]) => {
    const [, block, inner] = /^blocks\.(\d+)\.(.*)$/.exec(name) ?? [];
    if (block === undefined) return [[name, tensor] as const];
    const place = blocks.indexOf(Number(block));
    return place < 0 ? [] : [[`blocks.${place}.${inner}`, tensor] as const];
  });
  const other = { ...shape, layers: blocks.length, settings: { ...shape.settings, ...settings } };
  return { shape: other, weights: new Map(kept) };
}

for (
  const { architecture, settings, ofCopies } of [
    {
      architecture: "gemma3",
      settings: { windowedBlocks: [0, 1, 3] },
      ofCopies: [{ windowedBlocks: [0] }, { windowedBlocks: [0, 1] }],
    },
    {
      architecture: "smollm3",
      settings: { unrotatedBlocks: [2, 3] },
      ofCopies: [{ unrotatedBlocks: [1] }, { unrotatedBlocks: [1] }],
    },
    {
      architecture: "smollm3",
      settings: { unrotatedBlocks: [1, 2] },
      ofCopies: [{ unrotatedBlocks: [1] }, { unrotatedBlocks: [0] }],
    },
  ]
) {
  for (const [place, memoryBlock] of [2, 3].entries()) {
    deviceTest(
      `${architecture}: layers that copy every second block up to ${memoryBlock} compute as these (${
        JSON.stringify(settings)
      })`,
      async (device) => {
        const backbone = backboneOf(architecture, settings), blocks = [place, place + 2];
        const sideNet = randomSideNet(backbone, {
          shape: { memoryBlock, crossNetworkResidual: false },
          initialization: { kind: "blocks", blocks },
          exact: true,
        });
        await using model = new LongMem(device, { backbone, sideNet });
        const { logits } = await model.forward(tokens, { network: "sidenet" });
        const shorter = withBlocks(backbone, blocks, ofCopies[place]);
        await using expected = new LongMem(device, { backbone: shorter });
        const { logits: ofBlocks } = await expected.forward(tokens, { network: "backbone" });
        assertClose(logits, ofBlocks, { tolerance: 2e-5 });
      },
      onHost,
    );
  }
}

deviceTest("a layer without positions reads its memory at any distance alike", async (device) => {
  const backbone = backboneOf("smollm3", { unrotatedBlocks: [2] });
  const memory: MemoryConfig = {
    capacityTokens: 32,
    chunkTokens: 4,
    retrievedTokens: 8,
    index: { kind: "exact" },
    ...memoryProtocols.strict,
  };
  for (const memoryBlock of [2, 3]) {
    const sideNet = randomSideNet(backbone, { shape: { memoryBlock } });
    const [near, far] = await Promise.all([1, 9].map(async (tokensBefore) => {
      const positions = { kind: "distance", tokens: tokensBefore } as const;
      await using model = new LongMem(device, {
        backbone,
        sideNet,
        memory: { ...memory, positions },
      });
      await model.remember(randomIds(16, "document"));
      return (await model.forward(tokens, { readOnly: true })).logits;
    }));
    const moved = Math.max(...far.map((value, i) => Math.abs(value - near[i])));
    assert.ok(memoryBlock === 2 ? moved === 0 : moved > 1e-3, `logits move by ${moved}`);
  }
}, onHost);
