/** What must hold for every LongMem, whatever its weights. */
import { LongMem } from "../../src/longmem/longmem.ts";
import type { MemoryConfig } from "../../src/memory/config.ts";
import type { GraphNode, Value } from "../../src/graph/graph.ts";
import type { Program } from "../../src/graph/onnx.ts";
import type { Device } from "../../src/runtime/device.ts";
import { deviceTest, notingDevice, testedDevice } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";
import { randomTokens, smallBackbone, smallParts } from "./random_model.ts";
import type { Network } from "../../src/longmem/networks.ts";
import type { LongMemParts } from "../../src/longmem/parts.ts";

const { vocabSize: V } = smallBackbone;
const tolerance = 1e-5;

deviceTest("Logits before a token do not depend on it, with memory", async (device) => {
  const T = 12, changed = 7;
  await withModel(device, {}, async (model) => {
    await model.remember(randomTokens(2 * T, "history"), { batch: 2 });
    const tokens = randomTokens(2 * T, "tokens");
    const options = { batch: 2, readOnly: true };
    const { logits: before } = await model.forward(tokens, options);
    tokens[changed] = tokens[changed] === 5 ? 6 : 5;
    const { logits: after } = await model.forward(tokens, options);
    assert.deepEqual(after.slice(0, changed * V), before.slice(0, changed * V));
    for (let t = changed; t < T; t++) {
      assert.notDeepEqual(
        after.slice(t * V, (t + 1) * V),
        before.slice(t * V, (t + 1) * V),
        `position ${t} sees token ${changed}`,
      );
    }
    assert.deepEqual(after.slice(T * V), before.slice(T * V), "the other row is untouched");
  });
});

hostTest("An empty memory is no memory, also in padded rows", async (device) => {
  for (const bank of ["per-row", "shared"] as const) {
    for (const missingChunks of ["masked", "zero-slot"] as const) {
      await withModel(device, { bank, missingChunks }, async (model) => {
        const plain = randomTokens(24, "tokens"), padded = plain.slice();
        padded[5] = padded[23] = 1;
        for (const tokens of [plain, padded]) {
          const options = { batch: 2, readOnly: true };
          const { logits } = await model.forward(tokens, options);
          const without = await model.forward(tokens, { ...options, network: "sidenet" });
          assertClose(logits, without.logits, { tolerance, name: `${bank} ${missingChunks}` });
        }
      });
    }
  }
});

hostTest("A memory changes logits; a read-only pass leaves it as it is", async (device) => {
  await withModel(device, {}, async (model) => {
    const tokens = randomTokens(24, "tokens"), batch = 2;
    const { logits: empty } = await model.forward(tokens, { batch, readOnly: true });
    assert.deepEqual(model.memoryFillChunks, [0, 0]);
    await model.forward(randomTokens(24, "history"), { batch });
    const saved = await model.bank!.save();
    const { logits: first } = await model.forward(tokens, { batch, readOnly: true });
    const { logits: second } = await model.forward(tokens, { batch, readOnly: true });
    assert.ok(largestDifference(first, empty) > 1e-2, "memory changes logits");
    assert.deepEqual(second, first);
    assert.deepEqual(await model.bank!.save(), saved);
    await model.score(tokens, tokens, { batch, readOnly: true });
    await model.forward(tokens, { batch, network: "sidenet" });
    await model.forward(tokens, { batch, network: "backbone" });
    assert.deepEqual(await model.bank!.save(), saved);
  });
});

hostTest("A pass does not read what it writes itself", async (device) => {
  await withModel(device, {}, async (model) => {
    const tokens = randomTokens(24, "tokens"), batch = 2;
    await model.forward(randomTokens(24, "history"), { batch });
    const { logits: readOnly } = await model.forward(tokens, { batch, readOnly: true });
    const { logits: writing } = await model.forward(tokens, { batch });
    assertClose(writing, readOnly, { tolerance });
  });
});

deviceTest("LongMem's graphs sort no scores on a GPU", async (opened) => {
  const { device, operators } = notingDevice(opened);
  await withModel(device, {}, async (model) => {
    await assert.rejects(model.forward(randomTokens(12, "tokens")), { message: "Noted" });
  });
  assert.ok(operators.has("Softmax"), "the graph was seen");
  assert.equal(operators.has("TopK"), device.kind !== "webgpu");
});

deviceTest("a GPU reads what a CPU does where its kernels do not do all of it", async (device) => {
  const cpu = await testedDevice("cpu");
  const cases: readonly (readonly [string, Partial<MemoryConfig>, Partial<LongMemParts>?])[] = [
    // More chunks than the kernels of retrieval choose from; those of attention read them.
    ["retrieval", { chunkTokens: 1, retrievedTokens: 513, capacityTokens: 600 }],
    ["attention", { retrievedTokens: 2052, capacityTokens: 2052 }],
    ["blocks", {}, { other: { network: "infllm", shape: { distanceTokens: 12 } } }],
  ];
  for (const [name, fields, other] of cases) {
    const logitsOf = async (on: Device, storage: MemoryConfig["storage"]) => {
      const { backbone, sideNet, memory } = smallParts({ ...fields, storage });
      const model = new LongMem(on, { backbone, memory, ...(other ?? { sideNet }) });
      await model.remember(randomTokens(24, "history"), { batch: 2 });
      const { logits } = await model.forward(randomTokens(24, "tokens"), {
        batch: 2,
        readOnly: true,
      });
      await model.close();
      return logits;
    };
    const exact = await logitsOf(cpu, "float32");
    for (const storage of ["float16", "int8"] as const) {
      const expected = await logitsOf(cpu, storage);
      // A number between two stored ones may go to the other, as what is stored differs by rounding.
      const off = largestDifference(await logitsOf(device, storage), expected);
      const toExact = largestDifference(exact, expected);
      assert.ok(toExact > 1e-4 && off < toExact / 5, `${name}, ${storage}: ${off}, ${toExact}`);
    }
  }
}, { kinds: ["webgpu"] });

deviceTest(
  "padding at the beginning of a row lets nothing of later tokens through",
  async (device) => {
    const T = 8, padding = 3, V = smallBackbone.vocabSize, tokens = randomTokens(T, "tokens");
    const mask = tokens.map((_, t) => t < padding ? 0 : 1);
    // The memory is read: then the official joint attention sees the keys of padding.
    const logitsOf = async (on: Device, tokens: Int32Array) => {
      const model = new LongMem(on, smallParts());
      await model.remember(randomTokens(24, "history"));
      const { logits } = await model.forward(tokens, { mask, readOnly: true });
      await model.close();
      return logits.slice(padding * V);
    };
    const expected = await logitsOf(device, tokens);
    const other = await logitsOf(device, tokens.with(T - 1, tokens[T - 1] === 5 ? 6 : 5));
    const before = (T - 1 - padding) * V;
    assert.deepEqual(other.subarray(0, before), expected.subarray(0, before));
    assert.notDeepEqual(other, expected);
    // Nor does it matter how attention is cut into blocks.
    const inBlocks = await logitsOf({ ...device, fusedQueries: 2 }, tokens);
    assertClose(inBlocks, expected, { tolerance: 1e-5, name: "logits" });
  },
  { kinds: ["cpu", "wasm"] },
);

deviceTest("Reset memories are as new ones", async (device) => {
  // An index outside the graph is on the host whatever the device.
  const indexes = device.kind === "cpu" ? [exact, hnsw] : [exact];
  for (const index of indexes) {
    await withModel(device, { index }, async (model) => {
      const options = { batch: 2 };
      const run = async () => {
        const results: Float32Array[] = [];
        for (const seed of ["a", "b", "c", "d"]) {
          results.push((await model.forward(randomTokens(24, seed), options)).logits);
        }
        return results;
      };
      const first = await run();
      await model.resetMemory();
      assert.deepEqual(model.memoryFillChunks, [0, 0]);
      (await run()).forEach((logits, i) => assertClose(logits, first[i], { tolerance }));
    });
  }
});

hostTest("Rows of a per-row memory never see each other", async (device) => {
  for (const index of [exact, hnsw]) {
    const logitsOfRow1 = (others: string, resetsOthers: boolean) =>
      withModel(device, { index }, async (model) => {
        let logits = new Float32Array();
        for (let pass = 0; pass < 5; pass++) {
          if (resetsOthers && pass === 3) await model.resetMemory([0, 2]);
          const tokens = randomTokens(36, `${others} ${pass}`);
          tokens.set(randomTokens(12, `row 1, pass ${pass}`), 12);
          logits = Float32Array.from((await model.forward(tokens, { batch: 3 })).logits);
        }
        return logits.slice(12 * V, 24 * V);
      });
    const alone = await logitsOfRow1("x", false);
    assertClose(await logitsOfRow1("y", false), alone, { tolerance });
    assertClose(await logitsOfRow1("z", true), alone, { tolerance });
  }
});

hostTest("Rows of a shared memory do see each other", async (device) => {
  const logitsOfRow0 = (other: string) =>
    withModel(device, shared, async (model) => {
      const tokens = randomTokens(24, "history");
      tokens.set(randomTokens(12, other), 12);
      await model.forward(tokens, { batch: 2 });
      const { logits } = await model.forward(randomTokens(24, "query"), { batch: 2 });
      return logits.slice(0, 12 * V);
    });
  assert.ok(largestDifference(await logitsOfRow0("x"), await logitsOfRow0("y")) > 1e-3);
});

hostTest("The order of rows does not matter where each has its own memory", async (device) => {
  const rows = 3, T = 12, order = [2, 0, 1];
  const run = (permutation: readonly number[]) =>
    withModel(device, {}, async (model) => {
      let logits = new Float32Array();
      for (let pass = 0; pass < 4; pass++) {
        const drawn = randomTokens(rows * T, pass), tokens = drawn.slice();
        permutation.forEach((from, to) =>
          tokens.set(drawn.subarray(from * T, (from + 1) * T), to * T)
        );
        logits = Float32Array.from((await model.forward(tokens, { batch: rows })).logits);
      }
      return logits;
    });
  const straight = await run([0, 1, 2]), permuted = await run(order);
  order.forEach((from, to) => {
    assertClose(
      permuted.slice(to * T * V, (to + 1) * T * V),
      straight.slice(from * T * V, (from + 1) * T * V),
      { tolerance, name: `row ${from}` },
    );
  });
});

hostTest("Retrieval outside the graph gives what exact retrieval gives", async (device) => {
  for (const bank of ["per-row", "shared"] as const) {
    for (const missingChunks of ["masked", "zero-slot"] as const) {
      const run = (index: MemoryConfig["index"]) =>
        withModel(device, { bank, missingChunks, capacityTokens: 80, index }, async (model) => {
          const results: Float32Array[] = [];
          for (let pass = 0; pass < 5; pass++) {
            results.push((await model.forward(randomTokens(24, pass), { batch: 2 })).logits);
          }
          return results;
        });
      const inside = await run(exact), outside = await run(hnsw);
      outside.forEach((logits, pass) => {
        assertClose(logits, inside[pass], { tolerance, name: `${bank} ${missingChunks} ${pass}` });
      });
    }
  }
});

hostTest("score() is the negative log-likelihood of forward()'s logits", async (device) => {
  await withModel(device, {}, async (model) => {
    const tokens = randomTokens(24, "tokens"), targets = randomTokens(24, "targets");
    await model.remember(randomTokens(24, "history"), { batch: 2 });
    for (const network of ["backbone", "sidenet", "longmem"] as const) {
      const options = { batch: 2, readOnly: true, network };
      const { logits } = await model.forward(tokens, options);
      const nll = await model.score(tokens, targets, options);
      const expected = Array.from(targets, (target, i) => {
        const row = logits.subarray(i * V, (i + 1) * V);
        const sum = row.reduce((total, x) => total + Math.exp(x), 0);
        return Math.log(sum) - row[target];
      });
      assertClose(nll, expected, { tolerance, name: network });
    }
  });
});

deviceTest("choose() scores and names the largest of forward()'s logits", async (device) => {
  await withModel(device, {}, async (model) => {
    const tokens = randomTokens(48, "tokens"), targets = randomTokens(48, "targets");
    tokens[23] = 1;
    const history = randomTokens(24, "history");
    for (const network of ["backbone", "sidenet", "longmem"] as const) {
      await model.resetMemory();
      await model.remember(history, { batch: 2 });
      const { logits } = await model.forward(tokens, { batch: 2, readOnly: true, network });
      const scores = await model.score(tokens, targets, { batch: 2, readOnly: true, network });
      const expected = Array.from(tokens, (_, i) => {
        const row = logits.subarray(i * V, (i + 1) * V);
        return row.indexOf(Math.max(...row));
      });
      assert.ok(new Set(expected).size > 3, "choices differ");
      for (const readOnly of [true, false]) {
        const { nll, choices } = await model.choose(tokens, targets, {
          batch: 2,
          readOnly,
          network,
        });
        // What stands in the place of a pad token depends on whether padding is hidden.
        const scored = (values: ArrayLike<number>) => Array.from(values).toSpliced(23, 1);
        assert.deepEqual(scored(choices), scored(expected), network);
        assertClose(scored(nll), scored(scores), { tolerance, name: network });
        const written = network === "longmem" && !readOnly ? 7 : 3; // it holds 7
        assert.deepEqual(model.memoryFillChunks, [written, written]);
      }
    }
  });
});

deviceTest("Fewer targets than tokens are those of the last tokens of each row", async (device) => {
  await withModel(device, {}, async (model) => {
    await model.remember(randomTokens(24, "history"), { batch: 2 });
    const tokens = randomTokens(24, "tokens"), targets = randomTokens(24, "targets");
    tokens[3] = 1;
    const lastOf = (
      values: Float32Array | Int32Array,
    ) => [...values.slice(7, 12), ...values.slice(19)];
    for (const network of ["backbone", "sidenet", "longmem"] as const) {
      const options = { batch: 2, readOnly: true, network };
      const all = await model.choose(tokens, targets, options);
      const last = Int32Array.from(lastOf(targets));
      const chosen = await model.choose(tokens, last, options);
      assertClose(chosen.nll, lastOf(all.nll), { tolerance, name: network });
      assert.deepEqual([...chosen.choices], lastOf(all.choices), network);
      const nll = await model.score(tokens, last, options);
      assertClose(nll, lastOf(all.nll), { tolerance, name: network });
    }
  });
});

hostTest(
  "forward(), score() and remember() write the same, also of padded rows",
  async (device) => {
    for (const pads of [[], [23], [4, 23]]) {
      const tokens = randomTokens(24, "tokens");
      for (const pad of pads) tokens[pad] = 1;
      const written = await Promise.all([
        (model: LongMem) => model.forward(tokens, { batch: 2 }),
        (model: LongMem) => model.score(tokens, tokens, { batch: 2 }),
        (model: LongMem) => model.remember(tokens, { batch: 2 }),
      ].map((write) =>
        withModel(device, {}, async (model) => {
          await write(model);
          return await model.bank!.save();
        })
      ));
      for (const { rings, tensors } of written.slice(1)) {
        assert.deepEqual(rings, written[0].rings);
        for (const name of ["keys", "values", "meanKeys"] as const) {
          assertClose(tensors[name].data, written[0].tensors[name].data, { tolerance: 1e-6, name });
        }
      }
    }
  },
);

hostTest(
  "A read-only pass may be shorter than a chunk and longer than the memory",
  async (device) => {
    await withModel(device, {}, async (model) => {
      await model.remember(randomTokens(24, "history"), { batch: 2 });
      for (const T of [1, 3, 40]) {
        const tokens = randomTokens(2 * T, "query");
        const { logits } = await model.forward(tokens, { batch: 2, readOnly: true });
        assert.ok(logits.length === 2 * T * V && logits.every(Number.isFinite));
      }
      assert.deepEqual(model.memoryFillChunks, [3, 3]);
    });
  },
);

hostTest("A segment that fills no chunk is not remembered, and not refused", async (device) => {
  for (const memory of [{}, { index: hnsw }, { ...shared, eviction: "coarse" }] as const) {
    await withModel(device, memory, async (model) => {
      const short = randomTokens("bank" in memory ? 3 : 6, "short");
      const batch = "bank" in memory ? 1 : 2;
      await model.remember(short, { batch });
      assert.deepEqual(model.memoryFillChunks, Array(model.memoryFillChunks.length).fill(0));
      await model.forward(randomTokens(24, "history"), { batch: 2 });
      const stored = async () => {
        const { rings, tensors, transcripts } = await model.bank!.save();
        // Tokens that are not remembered count as read.
        return structuredClone({ rings, tensors, ids: transcripts?.map(({ ids }) => ids) });
      };
      const before = await stored();
      await model.forward(short, { batch });
      assert.deepEqual(await stored(), before);
    });
  }
});

hostTest("Calls that do not wait for each other run in their order", async (device) => {
  for (const index of [exact, hnsw]) {
    const segments = ["a", "b", "c", "d"].map((seed) => randomTokens(24, seed));
    const run = (waits: boolean) =>
      withModel(device, { index }, async (model) => {
        const results: Float32Array[] = [];
        const calls: Promise<void>[] = [];
        for (const [i, tokens] of segments.entries()) {
          const call = model.forward(tokens, { batch: 2 }).then(({ logits }) => {
            results[i] = logits;
          });
          calls.push(call);
          if (waits) await call;
          if (i === 2) calls.push(model.resetMemory([1]));
        }
        await Promise.all(calls);
        return { results, rings: (await model.bank!.save()).rings };
      });
    assert.deepEqual(await run(false), await run(true));
  }
});

hostTest("A pass that could not be compiled is compiled by the next call", async (device) => {
  let fails = true;
  const engine: Device = {
    ...device,
    compile: (...given) =>
      fails ? Promise.reject(new Error("no memory left")) : device.compile(...given),
  };
  const model = new LongMem(engine, smallParts());
  const tokens = randomTokens(12, "tokens");
  await assert.rejects(model.forward(tokens), /no memory left/);
  fails = false;
  assert.equal((await model.forward(tokens)).logits.length, 12 * V);
  fails = true;
  await assert.rejects(model.forward(tokens.slice(4)), /no memory left/);
  await model.close();
});

hostTest("Wrong batches are refused, and the memory stays as it is", async (device) => {
  await withModel(device, {}, async (model) => {
    const good = randomTokens(24, "tokens");
    await model.forward(good, { batch: 2 });
    const saved = await model.bank!.save();
    const wrong: [() => Promise<unknown>, ErrorConstructor, RegExp][] = [
      [() => model.forward(Int32Array.of(3, 31), {}), RangeError, /position 1 .* 0 \.\. 30: .* 31/],
      [() => model.forward(Int32Array.of(-1, 3), {}), RangeError, /position 0 .* -1/],
      [() => model.forward(good, { batch: 5 }), RangeError, /24 tokens and batch 5/],
      [() => model.forward(good, { batch: 0 }), RangeError, /batch 0/],
      [() => model.forward(good, { batch: 1.5 }), RangeError, /batch 1.5/],
      [() => model.forward(new Int32Array(), {}), RangeError, /0 tokens and batch 1/],
      [() => model.forward(good, { batch: 3 }), RangeError, /3 rows .* allowed is 2/],
      [() => model.score(good, good.slice(1), { batch: 2 }), RangeError, /are 23 and 24/],
      [
        () => model.score(good, randomTokens(26, 1), { batch: 2 }),
        RangeError,
        /must be as many as tokens, or the last of each row: current numbers are 26 and 24 in 2 rows/,
      ],
      [() => model.choose(good, new Int32Array(), { batch: 2 }), RangeError, /are 0 and 24/],
      [
        () => model.score(good, good.map((_, i) => i === 4 ? 99 : 3), { batch: 2 }),
        RangeError,
        /score the targets .* position 4 .* 99/,
      ],
      [() => model.resetMemory([0, 2]), RangeError, /row 2 as there is none: allowed are 0 to 1/],
      [
        () => model.remember(randomTokens(64, 1), { batch: 2 }),
        RangeError,
        /allowed are integers from 32/,
      ],
    ];
    for (const [run, kind, message] of wrong) {
      await assert.rejects(run(), (error) => {
        assert.ok(error instanceof kind, String(error));
        assert.match(error.message, message);
        return true;
      });
    }
    assert.deepEqual(await model.bank!.save(), saved);
    await model.forward(good, { batch: 2 });
  });
});

hostTest("A refused first batch does not fix the number of rows", async (device) => {
  await withModel(device, {}, async (model) => {
    await assert.rejects(model.forward(randomTokens(64, 1), { batch: 2 }), RangeError);
    await model.forward(randomTokens(12, 1), { batch: 1 });
    assert.deepEqual(model.memoryFillChunks, [3]);
  });
});

hostTest("choose() ranks targets as the logits do", async (device) => {
  await withModel(device, {}, async (model) => {
    await model.remember(randomTokens(24, "history"), { batch: 2 });
    const tokens = randomTokens(24, "tokens"), targets = randomTokens(10, "targets");
    const options = { batch: 2, readOnly: true };
    const { logits } = await model.forward(tokens, options);
    const { ranks } = await model.choose(tokens, targets, options);
    const expected = Array.from(targets, (target, i) => {
      // Five targets a row: those of its last positions.
      const position = Math.floor(i / 5) * 12 + 7 + i % 5;
      const row = logits.slice(position * V, (position + 1) * V);
      return 1 + row.filter((logit) => logit > row[target]).length;
    });
    assert.deepEqual([...ranks], expected);
    assert.ok(new Set(expected).size > 5, "targets have many ranks");
  });
});

hostTest("Networks that a model lacks are refused", async (device) => {
  const { backbone, sideNet, memory } = smallParts();
  const tokens = randomTokens(12, "tokens");
  const cases: [LongMemParts, Network, RegExp][] = [
    [{ backbone }, "sidenet", /"sidenet" as there is no SideNet/],
    [{ backbone, memory }, "longmem", /"longmem" as there is no SideNet/],
    [{ backbone, sideNet }, "longmem", /"longmem" as there is no memory/],
  ];
  for (const [parts, network, message] of cases) {
    const model = new LongMem(device, parts);
    await assert.rejects(model.forward(tokens, { network }), { name: "TypeError", message });
    if (network === "longmem") {
      await assert.rejects(model.retrieved(tokens), { name: "TypeError", message });
    }
    await assert.rejects(model.remember(tokens), {
      name: "TypeError",
      message: "Cannot remember as there is no SideNet or no memory",
    });
    await model.forward(tokens); // the largest network that it has
    await model.close();
  }
});

const exact = { kind: "exact" } as const;
const hnsw = { kind: "hnsw", m: 16, efConstruction: 200, efSearch: 200 } as const;
const shared = { bank: "shared", capacityTokens: 80 } as const;

/** Tests of what happens on the host, or of what the WebGPU engine does as the others do. */
function hostTest(name: string, run: (device: Device) => Promise<void>): void {
  deviceTest(name, run, { kinds: ["cpu"] });
}

async function withModel<Result>(
  device: Device,
  memory: Partial<MemoryConfig>,
  use: (model: LongMem) => Promise<Result>,
): Promise<Result> {
  const model = new LongMem(device, smallParts(memory));
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((largest, x, i) => Math.max(largest, Math.abs(x - b[i])), 0);
}

hostTest("LongMem answers no more once it is closed, and closes once", async (opened) => {
  let closed = 0;
  const device: Device = Object.assign(Object.create(opened), {
    close: () => Promise.resolve(void closed++),
  });
  const model = new LongMem(device, smallParts(), { ownsDevice: true });
  const answer = model.forward(randomTokens(8, "closed"));
  await Promise.all([model.close(), model.close()]);
  assert.equal((await answer).logits.length, 8 * V, "what was asked before is answered");
  assert.equal(closed, 1);
  const ended = { name: "ReferenceError", message: /the model as it has been closed/ };
  await assert.rejects(model.forward(randomTokens(8, "closed")), ended);
  await assert.rejects(model.resetMemory(), ended);
  await assert.rejects(model.withOwnMemory(), ended);
});

hostTest("LongMem refuses tokens and parts of a memory that are none", async (device) => {
  await withModel(device, {}, async (model) => {
    const tokens = randomTokens(8, "tokens");
    await assert.rejects(model.forward([...tokens] as unknown as Int32Array), {
      name: "TypeError",
      message: "Cannot run as tokens must be an Int32Array: current is Array",
    });
    await assert.rejects(model.score(tokens, Float32Array.from(tokens) as unknown as Int32Array), {
      name: "TypeError",
      message: "Cannot run as targets must be an Int32Array: current is Float32Array",
    });
    const wrong = (start: number, end: number) => ({
      name: "RangeError",
      message: new RegExp(`start and end must be integers from 0.* are ${start} and ${end}$`),
    });
    const explain = (start: number, end: number) =>
      model.explain(tokens, tokens, { hidden: [[{ start: 0, end: 4 }, { start, end }]] });
    for (const [start, end] of [[9, 2], [-1, 2], [0, NaN], [0.5, 2]]) {
      await assert.rejects(explain(start, end), wrong(start, end));
      assert.throws(() => model.rememberedIds({ start, end }), wrong(start, end));
    }
    await explain(4, 4);
  });
});

hostTest("A misspelled option is an error, and writes nothing", async (device) => {
  await withModel(device, {}, async (model) => {
    const forward = (options: object) => model.forward(randomTokens(8, "tokens"), options);
    await assert.rejects(forward({ readonly: true }), {
      name: "TypeError",
      message: /option "readonly" is unknown: .*did you mean "readOnly"/,
    });
    await assert.rejects(forward({ network: "longmen" }), {
      name: "TypeError",
      message: /network "longmen" is unknown: .*did you mean "longmem"/,
    });
    assert.deepEqual(model.memoryFillChunks, []);
  });
});

hostTest("Rows may be others once the memory is empty", async (device) => {
  for (const kind of ["exact", "hnsw"] as const) {
    const index = kind === "exact" ? { kind } : { kind, m: 16, efConstruction: 100, efSearch: 100 };
    await withModel(device, { index }, async (model) => {
      const tokens = randomTokens(16, "tokens");
      await model.forward(tokens, { batch: 2 });
      await assert.rejects(
        model.forward(tokens),
        /1 rows .* allowed is 2, or any number after reset/,
      );
      await model.resetMemory();
      await model.remember(tokens);
      assert.deepEqual(model.memoryFillChunks, [4]);
      const { logits } = await model.forward(tokens, { readOnly: true });
      await model.resetMemory();
      await model.forward(tokens, { batch: 2 });
      await model.resetMemory();
      await model.remember(tokens);
      const { logits: again } = await model.forward(tokens, { readOnly: true });
      assert.deepEqual(again, logits, `${kind}: it reads what was written last`);
    });
  }
});

hostTest("A row that has no memory cannot be reset", async (device) => {
  await withModel(device, {}, async (model) => {
    await model.remember(randomTokens(8, "tokens"));
    await assert.rejects(
      model.resetMemory([1]),
      /memory of row 1 as there is none: allowed are 0 to 0/,
    );
    assert.deepEqual(model.memoryFillChunks, [2]);
  });
});

deviceTest(
  "A pass fails where the memory that it read has left float16's range",
  async (device) => {
    const parts = smallParts({ storage: "float16" });
    const scale = (name: string, factor: number) => {
      const { data } = parts.backbone.weights.get(`transformer.h.3.attn.${name}.weight`)!;
      for (let i = 0; i < data.length; i++) data[i] *= factor;
    };
    scale("k_proj", 1e6); // the same attention, as queries are smaller
    scale("q_proj", 1e-6);
    const model = new LongMem(device, parts);
    const tokens = randomTokens(8, "tokens");
    const readers = {
      forward: () => model.forward(tokens, { readOnly: true }),
      append: () => model.openWindow({ contextTokens: 16 }).append(tokens),
      save: () => model.copyMemory(),
    };
    for (const [name, read] of Object.entries(readers)) {
      await read(); // an empty memory is in range
      await assert.rejects(async () => {
        await model.remember(tokens); // fails on a host; a GPU knows later
        await read();
      }, {
        name: "RangeError",
        message:
          /^Cannot cache keys .* float16 does not hold them: .* block 3, head \d, dimension \d, token \d of the batch; memory\.storage "float32" would/,
      }, name);
      await model.resetMemory();
    }
    await model.close();
  },
);

deviceTest(
  "in the graph of choose() a part of the loss needs all else that reads its block's logits",
  async (device) => {
    let program: Program | undefined;
    const engine: Device = {
      ...device,
      blockBytes: 1, // blocks of 32 rows
      compile(compiled, options) {
        program = compiled;
        return device.compile(compiled, options);
      },
    };
    const model = new LongMem(engine, { backbone: smallParts().backbone });
    await model.choose(randomTokens(96, "tokens"), randomTokens(96, "targets"), { batch: 2 });
    await model.close();
    const { nodes, outputs } = program!, { node } = outputs.get("nll")!;
    // The engine begins with the last node.
    assert.ok(node === nodes.at(-1));
    assert.equal(node!.inputs.length, 3);
    for (const part of node!.inputs) {
      const needed = new Set<GraphNode>();
      const visit = ({ node }: Value) => {
        if (!node || needed.has(node)) return;
        needed.add(node);
        for (const input of node.inputs) if (input) visit(input);
      };
      visit(part!);
      const logits = [...needed].filter(({ outputs: [{ shape }] }) => `${shape}` === `32,${V}`);
      assert.equal(logits.filter(({ op }) => op === "Gemm").length, 1);
      const [{ outputs: [block] }] = logits.filter(({ op }) => op === "Gemm");
      const readers = nodes.filter(({ inputs }) => inputs.includes(block));
      assert.equal(readers.length, 6);
      assert.ok(readers.every((reader) => needed.has(reader)), `${readers.map(({ op }) => op)}`);
    }
  },
  { kinds: ["cpu"] },
);

deviceTest(
  "A model of texts of many lengths keeps the sessions that it used last",
  async (device) => {
    let open = 0, most = 0;
    const engine: Device = {
      ...device,
      async compile(program, options) {
        const session = await device.compile(program, options);
        most = Math.max(most, ++open);
        return {
          run: (feeds, into) => session.run(feeds, into),
          async close() {
            open--;
            await session.close();
          },
        };
      },
    };
    const model = new LongMem(engine, { backbone: smallParts().backbone });
    const score = (T: number) => model.score(randomTokens(T, "tokens"), randomTokens(T, "targets"));
    const first = await score(1);
    for (let T = 2; T <= 30; T++) {
      await score(T);
      if (T > 20) await score(3); // stays open
    }
    assert.deepEqual([most, open], [24, 24]);
    assert.deepEqual(await score(1), first);
    await model.close();
    assert.equal(open, 0);
  },
  { kinds: ["cpu"] },
);
