import { generate, generateTokens, rememberDocument } from "../../src/longmem/generation.ts";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { Random } from "../../src/random.ts";
import { assert, assertClose, test } from "../testing.ts";
import type { LongMemModel } from "../../src/longmem/longmem_model.ts";

const V = 40,
  contextTokens = 48,
  memory = {
    capacityTokens: 256,
    chunkTokens: 4,
    retrievedTokens: 16,
  };

/** A small random model that has read a document of 90 tokens. */
async function withModel(use: (model: LongMemModel) => Promise<void>): Promise<void> {
  const shape = { layers: 4, hiddenDim: 16, heads: 2, feedForwardDim: 64, vocabSize: V };
  const weights = initializeBackbone(shape, 7);
  // Larger weights than a training starts from, so that tokens are not all about equally probable.
  for (const { data } of weights.values()) for (let i = 0; i < data.length; i++) data[i] *= 8;
  const model = await loadLongMem({ backbone: { shape, weights }, memory, device: "cpu" });
  try {
    const random = new Random(3);
    const document = Int32Array.from({ length: 90 }, () => 4 + random.below(V - 4));
    await rememberDocument(model, document, { contextTokens: 32 });
    await use(model);
  } finally {
    await model.close();
  }
}

/** Greedy generation without padding, one window after the other. */
async function greedy(model: LongMemModel, prompt: number[], tokens: number): Promise<number[]> {
  const all = [...prompt];
  for (let i = 0; i < tokens; i++) {
    const window = Int32Array.from(all.slice(-contextTokens));
    const { logits } = await model.forward(window, { readOnly: true });
    const last = logits.subarray(logits.length - V);
    all.push(last.indexOf(Math.max(...last)));
  }
  return all.slice(prompt.length);
}

const prompt = [0, 9, 21, 30, 5];
const collect = (model: LongMemModel, more: object = {}) =>
  Array.fromAsync(generate(model, { prompt, tokens: 12, contextTokens, ...more }));

test("generate() at temperature 0 takes what unpadded windows find most probable", async () => {
  await withModel(async (model) => {
    const long = Array.from({ length: 45 }, (_, i) => 4 + (7 * i) % 31);
    assert.deepEqual(
      await collect(model, { prompt: long, temperature: 0 }),
      await greedy(model, long, 12), // the window slides after 3 of them
    );
  });
});

test("generate() draws the ids that passes over whole windows would draw", async () => {
  await withModel(async (model) => {
    const whole: Pick<LongMemModel, "openWindow"> = {
      openWindow({ contextTokens }) {
        let window: number[] = [];
        return {
          async append(tokens) {
            window = [...window, ...Array.from(tokens)].slice(-contextTokens);
            const { logits } = await model.forward(Int32Array.from(window), { readOnly: true });
            return logits.slice(-V);
          },
          close: () => Promise.resolve(),
        };
      },
    };
    const options = { prompt, tokens: 16, contextTokens: 16, temperature: 1.5, seed: 4 };
    assert.deepEqual(
      await Array.fromAsync(generate(model, options)),
      await Array.fromAsync(generate(whole, options)),
    );
  });
});

test("generate() depends on the seed alone, and leaves the memory as it is", async () => {
  await withModel(async (model) => {
    assert.deepEqual(model.memoryFillChunks, [22]); // 8 + 8 + 6 chunks; 2 tokens fill none
    const first = await collect(model, { seed: 1 });
    assert.deepEqual(await collect(model, { seed: 1 }), first);
    assert.notDeepEqual(await collect(model, { seed: 2 }), first);
    assert.deepEqual(model.memoryFillChunks, [22]);
  });
});

test("generate() reads the memory", async () => {
  await withModel(async (model) => {
    const window = Int32Array.from(prompt);
    const { logits } = await model.forward(window, { readOnly: true });
    await model.resetMemory();
    const without = await model.forward(window, { readOnly: true });
    assert.notDeepEqual(without.logits, logits);
    assert.deepEqual(await collect(model, { temperature: 0 }), await greedy(model, prompt, 12));
  });
});

/** A model whose logits do not depend on what it reads. */
function constantModel(logits: number[]): Pick<LongMemModel, "openWindow"> {
  return {
    openWindow: () => ({
      append: () => Promise.resolve(Float32Array.from(logits)),
      close: () => Promise.resolve(),
    }),
  };
}

test("generate() draws by softmax(logits / temperature), among the allowed ids", async () => {
  const model = constantModel([9, Math.log(1), Math.log(4), Math.log(16)]);
  const options = { prompt: [1], tokens: 4000, contextTokens: 8, allows: (id: number) => id > 0 };
  const share = async (temperature: number, id: number) => {
    const ids = await Array.fromAsync(generate(model, { ...options, temperature }));
    return ids.filter((found) => found === id).length / ids.length;
  };
  // Three standard deviations of a share of 4,000 draws are 0.02 at most.
  assert.ok(Math.abs(await share(1, 2) - 4 / 21) < 0.02);
  assert.ok(Math.abs(await share(1, 3) - 16 / 21) < 0.02);
  assert.ok(Math.abs(await share(2, 1) - 1 / 7) < 0.02);
  assert.equal(await share(1, 0), 0);
  assert.equal(await share(0, 3), 1);
});

test("generate() with topP draws among the fewest most probable ids that have it together", async () => {
  // Probabilities 0.5, 0.25, 0.125, 0.125.
  const model = constantModel([0, 1, 2, 2].map((halvings) => -halvings * Math.LN2));
  const drawn = async (topP: number) => {
    const options = { prompt: [1], tokens: 400, contextTokens: 8, topP };
    return [...new Set(await Array.fromAsync(generate(model, options)))].sort();
  };
  assert.deepEqual(await drawn(0.5), [0]);
  assert.deepEqual(await drawn(0.51), [0, 1]);
  assert.deepEqual(await drawn(0.8), [0, 1, 2], "of equal ones the first");
  assert.deepEqual(await drawn(1), [0, 1, 2, 3]);
  const options = { prompt: [1], tokens: 4000, contextTokens: 8, topP: 0.75 };
  const ids = await Array.fromAsync(generate(model, options));
  // Three standard deviations of a share of 4,000 draws are 0.023 at most.
  assert.ok(Math.abs(ids.filter((id) => id === 0).length / 4000 - 2 / 3) < 0.023);
});

test("generateTokens() returns the logits of each token and the end id, and takes those after the prompt", async () => {
  await withModel(async (model) => {
    const options = { prompt, tokens: 6, contextTokens, temperature: 0 };
    const tokens = await Array.fromAsync(generateTokens(model, options));
    const ids = tokens.map(({ id }) => id);
    assert.deepEqual(ids, await collect(model, { temperature: 0, tokens: 6 }));
    const window = Int32Array.from([...prompt, ...ids.slice(0, 3)]);
    const { logits } = await model.forward(window, { readOnly: true });
    assertClose(tokens[3].logits, logits.subarray(-V), { tolerance: 1e-4 });
    const known = await Array.fromAsync(
      generateTokens(model, { ...options, promptLogits: tokens[0].logits }),
    );
    assert.deepEqual(known.map(({ id }) => id), ids);
    known.forEach(({ logits }, i) => assertClose(logits, tokens[i].logits, { tolerance: 1e-4 }));
    const ended = await Array.fromAsync(generateTokens(model, { ...options, end: ids[2] }));
    assert.deepEqual(ended.map(({ id }) => id), ids.slice(0, 1 + ids.indexOf(ids[2])));
  });
});

test("generate() ends at the end id and keeps it out", async () => {
  const ids = await Array.fromAsync(
    generate(constantModel([0, 0, 0, 0]), { prompt: [1], tokens: 1000, contextTokens: 8, end: 2 }),
  );
  assert.ok(ids.length > 0 && ids.length < 100 && !ids.includes(2), `${ids}`);
});

test("generate() refuses options that mean nothing", async () => {
  const run = (more: object) =>
    Array.fromAsync(
      generate(constantModel([0]), { prompt: [0], tokens: 1, contextTokens: 8, ...more }),
    );
  await assert.rejects(run({ prompt: [] }), /the prompt has no token/);
  await assert.rejects(run({ temperature: -1 }), /temperature must be 0 or more.*-1/);
  await assert.rejects(run({ temperature: NaN }), /temperature must be 0 or more.*NaN/);
  await assert.rejects(run({ topP: 0 }), /topP must be above 0, and at most 1.* 0$/);
  await assert.rejects(run({ allows: () => false }), /no id is allowed/);
  await assert.rejects(run({ tokens: NaN }), /tokens must be an integer from 0: .* NaN/);
  await assert.rejects(run({ contextTokens: 0 }), /contextTokens must be an integer from 1: .* 0/);
  await assert.rejects(
    run({ temprature: 0 }),
    /^TypeError: Cannot run as option "temprature" is unknown: .* \(did you mean "temperature"\?\)$/,
  );
});

test("rememberDocument() cuts segments at chunks, so that tokens are left out at the end alone", async () => {
  const segmentsOf = async (contextTokens: number) => {
    const read: number[][] = [];
    const remember = (tokens: Int32Array) => Promise.resolve(void read.push([...tokens]));
    const document = Int32Array.from({ length: 14 }, (_, t) => t);
    const model = { remember, memory: { chunkTokens: 4 } };
    await rememberDocument(model, document, { contextTokens, chunkTokens: 4 });
    return read;
  };
  assert.deepEqual(await segmentsOf(11), [[0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13]]);
  assert.deepEqual(await segmentsOf(3), [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13]]);
});

test("rememberDocument() counts tokens that fill no chunk, so that the next document begins behind them", () =>
  withModel(async (model) => {
    await model.resetMemory();
    const document = Int32Array.from({ length: 66 }, (_, t) => 4 + t % (V - 4));
    await rememberDocument(model, document, { contextTokens: 32 });
    assert.deepEqual([model.rememberedTokens, model.memoryFillChunks], [[66], [16]]);
  }));

test("rememberDocument() refuses segments of no tokens, with which it would never end", async () => {
  const remember = () => Promise.reject(new Error("asked to remember"));
  const model = { remember, memory: { chunkTokens: 4 } };
  await assert.rejects(rememberDocument(model, new Int32Array(9), { contextTokens: 0 }), {
    name: "RangeError",
    message: /remember a document as contextTokens must be an integer from 1: .* 0/,
  });
  const other = { contextTokens: 8, chunkTokens: 2 };
  await assert.rejects(rememberDocument(model, new Int32Array(9), other), {
    name: "RangeError",
    message:
      "Cannot remember a document as chunkTokens must be that of the memory: current value is 2, allowed is 4",
  });
  const unknown = { contextTokens: 8, chunkToken: 4 };
  await assert.rejects(rememberDocument(model, new Int32Array(9), unknown), {
    name: "TypeError",
    message: /option "chunkToken" is unknown: .*contextTokens/,
  });
  const ids = [4, 5, 6, 7] as unknown as Int32Array;
  await assert.rejects(rememberDocument(model, ids, { contextTokens: 4 }), {
    name: "TypeError",
    message: "Cannot remember a document as it must be an Int32Array: current is Array",
  });
});

test("generate() fails where a logit is not finite, naming the token and its position", async () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    for (const temperature of [0, 1]) {
      let appended = 0;
      const model: Pick<LongMemModel, "openWindow"> = {
        openWindow: () => ({
          append() {
            const logits = new Float32Array(V).fill(1);
            if (++appended === 3) logits[17] = bad;
            return Promise.resolve(logits);
          },
          close: () => Promise.resolve(),
        }),
      };
      const ids: number[] = [];
      await assert.rejects(
        async () => {
          const options = { prompt, tokens: 12, contextTokens, temperature };
          for await (const id of generate(model, options)) ids.push(id);
        },
        {
          name: "RangeError",
          message: `Cannot generate token 2 as the model's logits must be finite: ` +
            `current value is ${bad} for id 17, after ${prompt.length + 2} tokens`,
        },
      );
      assert.equal(ids.length, 2);
    }
  }
});
