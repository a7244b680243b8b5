/**
 * The double-precision model, first held against the official numbers, then the graphs against it on sizes and settings
 * that the fixtures do not have.
 */
import type { BackboneShape } from "../../src/backbone/shape.ts";
import { padId } from "../../src/backbone/shape.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import type { SideNetShape } from "../../src/longmem/sidenet_shape.ts";
import type { MemoryConfig } from "../../src/memory/config.ts";
import type { Device } from "../../src/runtime/device.ts";
import { Random } from "../../src/random.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose, sharedTest } from "../testing.ts";
import { fixtureMemory, fixtureNetworks, Golden } from "./fixture_model.ts";
import { ObservedModel } from "./observed_model.ts";
import { randomParts, smallBackbone, smallSideNet } from "./random_model.ts";
import { flat, ReferenceMemory, referencePass, type Rows } from "./reference_model.ts";

sharedTest("referencePass() gives the official values of seven segments", async () => {
  const golden = await Golden.read("segments_f32mem.safetensors");
  const parts = { ...await fixtureNetworks(), memory: fixtureMemory };
  const memory = new ReferenceMemory(parts.memory, 2);
  for (let s = 0; s < 7; s++) {
    const name = `seg${s}/`;
    const tokens = golden.integers(name + "src_tokens").data;
    const pass = referencePass(parts, memory, tokens, { rows: 2 });
    const check = (actual: readonly Rows[], key: string) =>
      assertClose(flat(...actual), golden.floats(name + key).data, {
        tolerance: 1e-5,
        name: name + key,
      });
    check(pass.hiddenStates, "backbone/hidden_states");
    check([pass.backboneLogits], "backbone/logits");
    check([pass.keys], "backbone/retrieval_k");
    check([pass.values], "backbone/retrieval_v");
    check(pass.sideStates, "sidenet/hidden_states");
    check(pass.attentionOutputs, "sidenet/attn_out");
    check([pass.features], "sidenet/features");
    check([pass.logits], "logits");
    if (s > 0) {
      const { data, shape: [H, B, T, n] } = golden.integers(name + "memory/index");
      const index = Array.from(
        { length: B * T },
        (_, token) =>
          Array.from({ length: H }, (_, h) => [
            ...data.subarray((h * B * T + token) * n, (h * B * T + token + 1) * n),
          ]),
      );
      assert.deepEqual(pass.retrieved, index);
    }
  }
});

sharedTest("referencePass() gives the official values of the edge cases", async () => {
  const golden = await Golden.read("edge_f32mem.safetensors");
  for (
    const { edges, retrievedTokens } of [
      { edges: ["underfull_0", "underfull_1"], retrievedTokens: 32 },
      { edges: ["crossrow_0", "crossrow_1"], retrievedTokens: 8 },
      {
        edges: ["remainder_0", "remainder_1", "remainder_2", "readonly", "padded"],
        retrievedTokens: 8,
      },
    ]
  ) {
    const parts = { ...await fixtureNetworks(), memory: { ...fixtureMemory, retrievedTokens } };
    const memory = new ReferenceMemory(parts.memory, 2);
    for (const edge of edges) {
      const { data: tokens, shape: [rows] } = golden.integers(`${edge}/src_tokens`);
      const pass = referencePass(parts, memory, tokens, { rows, readOnly: edge === "readonly" });
      const { data } = golden.floats(`${edge}/logits`);
      assertClose(flat(pass.logits), data, { tolerance: 1e-5, name: edge });
    }
  }
});

/** What the graphs and the reference both run. */
interface Setting {
  readonly name: string;
  readonly shape: BackboneShape;
  readonly sideNet: SideNetShape;
  readonly memory: MemoryConfig;
  readonly rows: number;
  readonly contextTokens: number;
  readonly passes: number;
  /** Seed of the tokens: one for which no two scores nearly tie. */
  readonly seed: number;
  /** Rows whose memory is reset before a pass. */
  readonly resets?: Readonly<Record<number, readonly number[]>>;
  /** Passes with a pad token within a row. */
  readonly padded?: readonly number[];
  readonly blockBytes?: number;
  readonly tolerance?: number;
  readonly kinds?: readonly ("cpu" | "wasm" | "webgpu")[];
}

const perRow = {
  storage: "float32",
  bank: "per-row",
  eviction: "exact",
  missingChunks: "masked",
  reset: "document",
  index: { kind: "exact" },
} as const;

const settings: readonly Setting[] = [
  {
    name: "6 heads, 9+3 layers, chunks that straddle rows, coarse eviction",
    shape: { layers: 9, hiddenDim: 36, heads: 6, feedForwardDim: 72, vocabSize: 41 },
    sideNet: { layers: 3, reductionFactor: 3, memoryBlock: 5 },
    memory: { ...fixtureMemory, capacityTokens: 130, chunkTokens: 3, retrievedTokens: 9 },
    rows: 2,
    contextTokens: 10,
    passes: 9,
    seed: 1,
  },
  {
    name: "a memory of 130 tokens in chunks of 4, exact eviction",
    shape: smallBackbone,
    sideNet: smallSideNet,
    memory: { ...fixtureMemory, capacityTokens: 130, eviction: "exact" },
    rows: 3,
    contextTokens: 17,
    passes: 5,
    seed: 2,
  },
  {
    name: "a bank for each row, reset at different times, few chunks stored, masked",
    shape: smallBackbone,
    sideNet: smallSideNet,
    memory: { ...perRow, capacityTokens: 28, chunkTokens: 4, retrievedTokens: 16 },
    rows: 3,
    contextTokens: 10,
    passes: 8,
    seed: 1,
    resets: { 2: [1], 4: [0, 2], 5: [], 6: [2] },
    kinds: ["cpu", "wasm", "webgpu"],
  },
  {
    name: "a bank for each row, few chunks stored, zero slots, padding",
    shape: smallBackbone,
    sideNet: smallSideNet,
    memory: {
      ...perRow,
      missingChunks: "zero-slot",
      capacityTokens: 28,
      chunkTokens: 4,
      retrievedTokens: 16,
    },
    rows: 3,
    contextTokens: 10,
    passes: 7,
    seed: 1,
    resets: { 4: [0, 2] },
    padded: [0, 1, 4],
  },
  ...(["float16", "int8"] as const).map((storage) => ({
    name: `${storage} storage`,
    shape: smallBackbone,
    sideNet: smallSideNet,
    memory: { ...perRow, storage, capacityTokens: 28, chunkTokens: 4, retrievedTokens: 16 },
    rows: 3,
    contextTokens: 10,
    passes: 5,
    seed: 1,
    tolerance: 2e-3,
  })),
  {
    name: "an HNSW index that searches everything",
    shape: smallBackbone,
    sideNet: smallSideNet,
    memory: {
      ...perRow,
      capacityTokens: 60,
      chunkTokens: 4,
      retrievedTokens: 16,
      index: { kind: "hnsw", m: 16, efConstruction: 200, efSearch: 200 },
    },
    rows: 3,
    contextTokens: 10,
    passes: 10,
    seed: 1,
    resets: { 3: [1], 6: [0, 2] },
  },
  {
    name: "no cross-network residual",
    shape: smallBackbone,
    sideNet: { ...smallSideNet, crossNetworkResidual: false },
    memory: { ...perRow, capacityTokens: 28, chunkTokens: 4, retrievedTokens: 16 },
    rows: 2,
    contextTokens: 10,
    passes: 4,
    seed: 1,
  },
  {
    name: "a last residual before the final norm",
    shape: smallBackbone,
    sideNet: { ...smallSideNet, lastResidual: "raw" },
    memory: { ...perRow, capacityTokens: 28, chunkTokens: 4, retrievedTokens: 16 },
    rows: 2,
    contextTokens: 10,
    passes: 4,
    seed: 1,
  },
  {
    name: "several blocks of rows and queries, T = 37",
    shape: smallBackbone,
    sideNet: smallSideNet,
    memory: { ...fixtureMemory, capacityTokens: 300, chunkTokens: 3, retrievedTokens: 9 },
    rows: 3,
    contextTokens: 37,
    passes: 4,
    seed: 1,
    blockBytes: 4096,
  },
  {
    name: "several blocks of rows and queries, T = 150, a bank for each row",
    shape: smallBackbone,
    sideNet: smallSideNet,
    memory: { ...perRow, capacityTokens: 160, chunkTokens: 4, retrievedTokens: 8 },
    rows: 2,
    contextTokens: 150,
    passes: 2,
    seed: 1,
    blockBytes: 4096,
    padded: [1],
  },
];

for (const setting of settings) {
  deviceTest(`LongMem.forward() equals the reference with ${setting.name}`, async (device) => {
    const { rows, contextTokens: T, memory: config, tolerance = 2e-5 } = setting;
    const parts = randomParts(setting);
    const engine: Device = setting.blockBytes === undefined
      ? device
      : { ...device, blockBytes: setting.blockBytes };
    const model = new LongMem(engine, parts);
    const memory = new ReferenceMemory(config, rows, setting.shape.heads);
    const random = new Random(setting.seed);
    let withMemory = 0;
    for (let pass = 0; pass < setting.passes; pass++) {
      const reset = setting.resets?.[pass];
      if (reset) {
        await model.resetMemory(reset);
        memory.reset(reset);
      }
      const tokens = tokensOfPass(setting, random, pass);
      const { logits } = await model.forward(tokens, { batch: rows });
      const expected = referencePass(parts, memory, tokens, { rows });
      assert.ok(expected.margin > 2e-5, `pass ${pass} has scores that nearly tie`);
      assertClose(logits, flat(expected.logits), { tolerance, name: `logits of pass ${pass}` });
      const fills = memory.banks.map((bank) => bank.length);
      assert.deepEqual(model.memoryFillChunks, fills);
      withMemory += expected.retrieved.filter((ages) => ages !== undefined).length;
    }
    assert.ok(withMemory > rows * T / 2, "the memory was read");
    await model.close();
  }, { kinds: setting.kinds ?? ["cpu", "wasm"] });
}

for (const setting of settings.slice(0, 4)) {
  deviceTest(`Retrieved chunks are the reference's with ${setting.name}`, async (device) => {
    const { rows, contextTokens: T, memory: config } = setting;
    const parts = randomParts(setting);
    const model = new ObservedModel(device, parts, rows);
    const memory = new ReferenceMemory(config, rows);
    const random = new Random(setting.seed);
    const { heads: H } = setting.shape, n = config.retrievedTokens / config.chunkTokens;
    for (let pass = 0; pass < setting.passes; pass++) {
      const reset = setting.resets?.[pass];
      if (reset) {
        model.bank.reset(reset);
        memory.reset(reset);
      }
      const tokens = tokensOfPass(setting, random, pass);
      const seen = await model.pass(tokens, { rows });
      const { retrieved } = referencePass(parts, memory, tokens, { rows });
      for (let token = 0; token < rows * T; token++) {
        for (let h = 0; h < H; h++) {
          const first = ((Math.floor(token / T) * H + h) * T + token % T) * n;
          const ages = [...seen.ages.subarray(first, first + n)];
          const expected = retrieved[token]?.[h] ?? Array(n).fill(-1);
          assert.deepEqual(ages, expected, `pass ${pass}, token ${token}, head ${h}`);
        }
      }
      await checkBanks(model, memory);
    }
    await model.close();
  }, { kinds: ["cpu"] });
}

for (const setting of settings) {
  deviceTest(
    `LongMem.retrieved() tells the reference's chunks with ${setting.name}`,
    async (device) => {
      const { rows, contextTokens: T, memory: config } = setting;
      const parts = randomParts(setting);
      const engine: Device = setting.blockBytes === undefined
        ? device
        : { ...device, blockBytes: setting.blockBytes };
      const model = new LongMem(engine, parts);
      const memory = new ReferenceMemory(config, rows);
      const random = new Random(setting.seed);
      const { heads: H } = setting.shape, n = config.retrievedTokens / config.chunkTokens;
      const seen = new Set<number>();
      for (let pass = 0; pass < setting.passes; pass++) {
        const reset = setting.resets?.[pass];
        if (reset) {
          await model.resetMemory(reset);
          memory.reset(reset);
        }
        const tokens = tokensOfPass(setting, random, pass);
        const { ages, heads, positions, chunks } = await model.retrieved(tokens, { batch: rows });
        assert.deepEqual([ages.length, heads, positions, chunks], [rows * H * T * n, H, T, n]);
        const { retrieved } = referencePass(parts, memory, tokens, { rows, readOnly: true });
        for (let token = 0; token < rows * T; token++) {
          const stored = memory.bankOf(Math.floor(token / T)).length;
          for (let h = 0; h < H; h++) {
            const first = ((Math.floor(token / T) * H + h) * T + token % T) * n;
            const found = [...ages.subarray(first, first + n)];
            // The reference counts from the oldest.
            const expected = retrieved[token]?.[h].map((age) => age < 0 ? -1 : stored - 1 - age) ??
              Array(n).fill(-1);
            assert.deepEqual(found, expected, `pass ${pass}, token ${token}, head ${h}`);
            for (const age of found) seen.add(age);
          }
        }
        // Asking has written nothing; now the segment is read.
        assert.deepEqual(
          model.memoryFillChunks,
          memory.banks.map((bank) => bank.length),
        );
        await model.remember(tokens, { batch: rows });
        referencePass(parts, memory, tokens, { rows });
      }
      assert.ok(seen.size > 3, "chunks of several ages were retrieved");
      await model.close();
    },
    { kinds: setting.kinds ?? ["cpu"] },
  );
}

/** Every bank holds the reference's chunks in the reference's order, and zeros behind them. */
async function checkBanks(model: ObservedModel, memory: ReferenceMemory): Promise<void> {
  const { heads: H, headDim: D, capacityChunks: P, chunkTokens: c } = model.bank.shape;
  for (const [b, bank] of memory.banks.entries()) {
    const contents = await model.contents(b);
    assert.equal(contents.count, bank.length);
    const expected = (part: "keys" | "values") => {
      const data = new Float64Array(H * P * c * D);
      bank.forEach((chunk, age) => {
        for (let h = 0; h < H; h++) {
          chunk[part].forEach((row, j) => {
            data.set(row.subarray(h * D, (h + 1) * D), ((h * P + age) * c + j) * D);
          });
        }
      });
      return data;
    };
    const means = Array.from({ length: H }, (_, h) => h).flatMap((h) =>
      bank.flatMap(({ mean }) => [...mean.subarray(h * D, (h + 1) * D)])
    );
    const tolerance = 2e-5;
    assertClose(contents.keys, expected("keys"), { tolerance, name: `keys of bank ${b}` });
    assertClose(contents.values, expected("values"), { tolerance, name: `values of bank ${b}` });
    assertClose(contents.meanKeys, means, { tolerance, name: `mean keys of bank ${b}` });
  }
}

/** Random tokens [B, T], with padding inside and at the end of row 1 where the setting asks for it. */
function tokensOfPass(setting: Setting, random: Random, pass: number): Int32Array<ArrayBuffer> {
  const { rows, contextTokens: T, shape } = setting;
  const tokens = Int32Array.from(
    { length: rows * T },
    () => padId + 1 + random.below(shape.vocabSize - padId - 1),
  );
  if (setting.padded?.includes(pass)) tokens[T + 3] = tokens[2 * T - 1] = padId;
  return tokens;
}

deviceTest(
  "A pass over more tokens than a block has computes attention by one node a block",
  async (device) => {
    const counts: number[] = [];
    const engine: Device = {
      ...device,
      fusedQueries: 4,
      compile(program, options) {
        counts.push(program.nodes.filter(({ op }) => op === "MultiHeadAttention").length);
        return device.compile(program, options);
      },
    };
    const { shape, sideNet } = settings[0], { memory } = settings[1];
    const parts = randomParts({ shape, sideNet, memory });
    const [fused, plain] = [engine, { ...engine, fusedQueries: Infinity }].map((engine) =>
      new LongMem(engine, parts)
    );
    const tokens = Int32Array.from({ length: 20 }, (_, i) => 4 + i);
    const [{ logits }, { logits: expected }] = [
      await fused.forward(tokens, { batch: 2 }),
      await plain.forward(tokens, { batch: 2 }),
    ];
    assert.deepEqual(counts, [(shape.layers + sideNet.layers) * 3, 0]);
    assertClose(logits, expected, { tolerance: 1e-6, name: "logits" });
    await fused.close();
    await plain.close();
  },
  { kinds: ["cpu"] },
);
