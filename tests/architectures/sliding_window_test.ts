/**
 * LongMem behind a sliding window, of every kind of attention: the memory holds what has left the window, and nothing twice. The
 * reference writes keys and values of plain passes to the bank of a plain model, and asks it about each window.
 */
import type { BackboneCheckpoint, BackboneShape } from "../../src/backbone/shape.ts";
import { slidingWindowModel } from "../../src/evaluation/sliding_window.ts";
import {
  languageModel,
  type PromptedModel,
  readableText,
} from "../../src/evaluation/shared/language_model.ts";
import { otherDocumentModel } from "../../src/evaluation/shared/other_document.ts";
import { readDocuments } from "../../src/evaluation/shared/read_documents.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { initializeMemorizing } from "../../src/longmem/networks/memorizing_transformer.ts";
import type { Network } from "../../src/longmem/networks.ts";
import { type MemoryConfig, memoryProtocols } from "../../src/memory/config.ts";
import type { SideNetCheckpoint } from "../../src/longmem/sidenet_shape.ts";
import type { Device } from "../../src/runtime/device.ts";
import { cutDocument, type DocumentSegments } from "../../src/text/segments.ts";
import { deviceTest, testedDevices } from "../graph/devices.ts";
import { assert, assertClose } from "../testing.ts";
import { Projector } from "./projections.ts";
import {
  describeShape,
  randomBackbone,
  randomIds,
  randomSideNet,
  shapesByAttention,
  smallShapes,
} from "./small_models.ts";

/** Tokens of a segment and of the window, which holds three. */
const T = 4, W = 12, tolerance = 2e-5, pad = 1;

const memory: MemoryConfig = {
  capacityTokens: 64,
  chunkTokens: 2,
  retrievedTokens: 4,
  index: { kind: "exact" },
  ...memoryProtocols.strict,
};

/** The block whose keys are remembered. */
const block = 3;

interface Networks {
  readonly backbone: BackboneCheckpoint;
  readonly sideNet: SideNetCheckpoint;
}

/** Their windows have few lengths, as each takes graphs of its own: 4, 8, 12 and, in the last segments of the first two, 10. */
const documents = [23, 11, 17].map((length, i) =>
  cutDocument(
    { name: `document ${i}`, tokens: randomIds(length, `document ${i}`), words: 1 },
    { contextTokens: T, pad },
  )
);

/** The tokens of a document, each but the last followed by a target. */
function tokensOf({ segments }: Pick<DocumentSegments, "segments">): Int32Array<ArrayBuffer> {
  const last = segments.at(-1)!;
  return Int32Array.of(
    ...segments.flatMap(({ tokens, targetTokens }) => [...tokens.subarray(0, targetTokens)]),
    last.targets[last.targetTokens - 1],
  );
}

/** What a model says of each target of some documents, which are read side by side. */
async function readAll(
  model: PromptedModel,
  documents: readonly DocumentSegments[],
  { rows, asks = "score" }: { rows: number; asks?: "score" | "choose" },
): Promise<number[][]> {
  const nats: number[][] = documents.map(() => []);
  await readDocuments(model, documents, { rows, pad }, {
    read: async (batch) =>
      asks === "score" ? await model.score(batch) : (await model.choose(batch)).nll,
    nll: (nll) => nll,
    take: (nll, { document, content, offset }) =>
      nats[document].push(...nll.subarray(offset, offset + content.targetTokens)),
  });
  return nats;
}

/** A LongMem with a window, closed after use. */
async function withWindow<Result>(
  device: Device,
  { backbone, sideNet }: Networks,
  use: (windowed: PromptedModel, model: LongMem) => Promise<Result>,
  { windowTokens = W, network = "longmem", memory: config = memory }: {
    windowTokens?: number;
    network?: Network;
    memory?: MemoryConfig;
  } = {},
): Promise<Result> {
  const heldTokens = windowTokens - T;
  await using model = new LongMem(device, { backbone, sideNet, memory: config, heldTokens });
  const window = { contextTokens: T, windowTokens, shared: config.bank === "shared", network };
  return await use(slidingWindowModel("windowed", model, window), model);
}

/** A window of so many tokens, of rows with banks of their own. */
function slidingBy(windowTokens: number) {
  return { contextTokens: T, windowTokens, shared: false };
}

/** Where the window of a segment begins. */
function windowStart(segment: number): number {
  return Math.max(0, (segment + 1) * T - W);
}

/** A plain model, whose memory is written by hand. Texts share it, as it compiles a graph for every length of a window. */
class Reference implements AsyncDisposable {
  readonly #device: Device;
  readonly #memory: MemoryConfig;
  readonly #model: LongMem;
  readonly #projector: Projector;

  constructor(device: Device, { backbone, sideNet }: Networks, config: MemoryConfig = memory) {
    this.#device = device;
    this.#memory = config;
    this.#model = new LongMem(device, { backbone, sideNet, memory: config });
    this.#projector = new Projector(device, backbone, block);
  }

  /**
   * Negative log-likelihood of each target of a text.
   *
   * @param remembered Text of whose beginning the memory holds as much as has left the window of the document itself.
   */
  async nats(
    tokens: Int32Array<ArrayBuffer>,
    { remembered = tokens }: { remembered?: Int32Array<ArrayBuffer> } = {},
  ): Promise<number[]> {
    const model = this.#model, { capacityTokens, chunkTokens } = this.#memory;
    await model.score(tokens.slice(0, T), tokens.slice(1, T + 1), { readOnly: true }); // opens the bank
    const targets = tokens.length - 1, nats: number[] = [];
    /** Keys and values of the tokens so far, each from the window in which it was in the last segment. */
    const keys: number[] = [], values: number[] = [];
    let width = 0;
    for (let segment = 0; segment * T < targets; segment++) {
      const first = windowStart(segment), end = Math.min((segment + 1) * T, targets);
      await model.resetMemory();
      const kept = Math.max(0, first - capacityTokens);
      if (first > 0) {
        const tensor = (data: number[]) =>
          this.#device.tensor(Float32Array.from(data.slice(kept * width, first * width)), [
            first - kept,
            width,
          ]);
        await model.bank!.write(tensor(keys), tensor(values));
      }
      assert.deepEqual(model.memoryFillChunks, [(first - kept) / chunkTokens]);
      const nll = await model.score(
        tokens.slice(first, end),
        tokens.slice(segment * T + 1, end + 1),
        { readOnly: true },
      );
      nats.push(...nll);
      const other = remembered.slice(first, end);
      const found = await this.#projector.of(other);
      width = found.keys.length / other.length;
      keys.push(...found.keys.slice((segment * T - first) * width));
      values.push(...found.values.slice((segment * T - first) * width));
    }
    return nats;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#projector[Symbol.asyncDispose]();
    await this.#model.close();
  }
}

/** Registers a test of each kind of attention on the host's engine. */
function architectureTest(
  name: string,
  run: (device: Device, networks: Networks, shape: BackboneShape) => Promise<void>,
): void {
  for (const shape of shapesByAttention()) {
    deviceTest(`${describeShape(shape)}: ${name}`, (device) => {
      const backbone = randomBackbone(shape);
      return run(device, { backbone, sideNet: randomSideNet(backbone) }, shape);
    }, { kinds: ["cpu"] });
  }
}

architectureTest(
  "each token is scored once, with the memory of exactly the tokens before the window",
  async (device, networks) => {
    await using plain = new Reference(device, networks);
    await withWindow(device, networks, async (windowed, model) => {
      const nats = await readAll(windowed, documents, { rows: 2 });
      for (const [i, document] of documents.entries()) {
        assert.equal(nats[i].length, document.targetTokens);
        const expected = await plain.nats(tokensOf(document));
        assertClose(nats[i], expected, { tolerance, name: document.name });
      }

      // A text that the window holds is read as without a memory, and a longer one is not.
      const alone = slidingWindowModel("alone", model, { ...slidingBy(W), network: "sidenet" });
      const forgetting = await readAll(alone, documents, { rows: 2 });
      for (const [i, own] of nats.entries()) {
        const within = Math.min(own.length, W);
        assertClose(own.slice(0, within), forgetting[i].slice(0, within), { tolerance });
        const moved = own.slice(within).map((x, t) => Math.abs(x - forgetting[i][within + t]));
        assert.ok(moved.every((distance) => distance > 0), `document ${i} is read from the memory`);
      }
      // Without a memory a segment is read in one pass over its window.
      const tokens = tokensOf(documents[0]);
      const first = windowStart(4), end = 5 * T;
      const nll = await model.score(
        tokens.slice(first, end),
        tokens.slice(4 * T + 1, end + 1),
        { network: "sidenet" },
      );
      assertClose(forgetting[0].slice(4 * T, end), nll, { tolerance });

      // A token changes nothing before it, and what follows in window and memory.
      const place = 5, words = 1;
      const changed = tokens.with(place, 2 + tokens[place] % 29);
      const cut = cutDocument({ name: "changed", tokens: changed, words }, {
        contextTokens: T,
        pad,
      });
      const [, others] = await readAll(windowed, [documents[1], cut], { rows: 2 });
      // The target before it is the token itself.
      assertClose(others.slice(0, place - 1), nats[0].slice(0, place - 1), { tolerance: 1e-6 });
      const moved = others.map((x, t) => Math.abs(x - nats[0][t]));
      assert.ok(moved.slice(place - 1, W).some((distance) => distance > 1e-3));
      // The last window begins behind it: it is remembered.
      assert.ok(windowStart(5) > place && moved.slice(5 * T).some((distance) => distance > 0));
    });
  },
);

architectureTest(
  "recent memory and other documents' memories hold as much, from windows of their own",
  async (device, networks, shape) => {
    if (!["longmem_gpt2", "llama"].includes(shape.architecture!)) return;
    const recent = { ...memory, capacityTokens: 4 };
    await using plain = new Reference(device, networks);
    await using forgetful = new Reference(device, networks, recent);
    await withWindow(device, networks, async (windowed) => {
      const [nats] = await readAll(windowed, documents.slice(0, 1), { rows: 1 });
      const tokens = tokensOf(documents[0]);
      const expected = await forgetful.nats(tokens);
      assertClose(nats, expected, { tolerance, name: "recent memory" });
    }, { memory: recent });

    const others = documents.map(({ segments }, i) =>
      readableText(segments.map((_, s) => randomIds(T, `other ${i}, ${s}`)))
    );
    await using model = new LongMem(device, { ...networks, memory, heldTokens: W - T });
    const control = otherDocumentModel("other", model, others, slidingBy(W));
    const nats = await readAll(control, documents, { rows: 2, asks: "choose" });
    for (const [i, document] of documents.entries()) {
      const remembered = Int32Array.of(...others[i].segments.flatMap(({ tokens }) => [...tokens]));
      const tokens = tokensOf(document);
      const expected = await plain.nats(tokens, { remembered });
      assertClose(nats[i], expected, { tolerance, name: `other document of ${i}` });
    }
  },
);

const [official] = smallShapes();

for (const bank of ["per-row", "shared"] as const) {
  for (const network of ["longmem", "infllm", "memorizing-transformer"] as const) {
    deviceTest(
      `a window of one segment is none, with a ${bank} bank of network ${network}`,
      async (device) => {
        const backbone = randomBackbone(official);
        const readers = {
          longmem: { sideNet: randomSideNet(backbone) },
          infllm: { other: { network: "infllm", shape: { distanceTokens: T } } },
          "memorizing-transformer": {
            other: initializeMemorizing({ memoryBlock: 2 }, backbone),
          },
        } as const;
        const config = { ...memory, bank };
        const open = (heldTokens?: number) =>
          new LongMem(device, {
            backbone,
            memory: config,
            ...readers[network],
            ...(heldTokens === undefined ? {} : { heldTokens }),
          });
        await using plain = open();
        await using held = open(0);
        const rows = bank === "shared" ? 1 : 2;
        const window = { contextTokens: T, windowTokens: T, shared: bank === "shared", network };
        const windowed = slidingWindowModel("windowed", held, window);
        assert.deepEqual(
          await readAll(windowed, documents, { rows }),
          await readAll(languageModel("plain", plain, network), documents, { rows }),
        );
        // Of a longer one the memory lacks what the window shows.
        await using longer = open(W - T);
        const sliding = slidingWindowModel("sliding", longer, { ...window, windowTokens: W });
        const chunks: number[] = [];
        for (const { tokens, targets } of documents[0].segments) {
          await sliding.score({ tokens, targets, rows: 1 });
          chunks.push(...longer.memoryFillChunks);
        }
        assert.deepEqual(chunks, [0, 0, 2, 4, 6, 8]);
        // Its beginning is read as without a memory.
        const [start] = await readAll(sliding, documents.slice(1, 2), { rows: 1 });
        const alone = network === "longmem" ? "sidenet" : "backbone";
        const without = { ...window, windowTokens: W, network: alone } as const;
        const [expected] = await readAll(
          slidingWindowModel("without", longer, without),
          documents.slice(1, 2),
          { rows: 1 },
        );
        assertClose(start, expected, { tolerance, name: alone });
      },
      { kinds: ["cpu"] },
    );
  }
}

deviceTest("a prompt is answered behind the window, and changes nothing", async (device) => {
  const backbone = randomBackbone(official);
  const networks = { backbone, sideNet: randomSideNet(backbone) };
  const text = randomIds(26, "text"), prompt = randomIds(T + 1, "prompt");
  await using plain = new Reference(device, networks);
  const expected = await plain.nats(
    Int32Array.of(...text.slice(0, 24), ...prompt),
  );
  await withWindow(device, networks, async (windowed, model) => {
    await windowed.startDocument(0, 0);
    for (let start = 0; start < 24; start += T) {
      await windowed.read({ tokens: text.slice(start, start + T), rows: 1 });
    }
    const asked = { tokens: prompt.slice(0, T), targets: prompt.slice(1), rows: 1 };
    const answer = await windowed.ask(asked);
    assertClose(answer.nll, expected.slice(-T), { tolerance });
    assert.deepEqual(await windowed.ask(asked), answer);
    // Behind a shorter last segment a token waits for its chunk, in neither window nor memory.
    await windowed.read({ tokens: Int32Array.of(text[24], pad, pad, pad), rows: 1, lengths: [1] });
    assert.deepEqual(model.memoryFillChunks, [8]);
    await windowed.read({ tokens: Int32Array.of(text[25], pad, pad, pad), rows: 1, lengths: [1] });
    assert.deepEqual(model.memoryFillChunks, [9]);
    await assert.rejects(
      model.copyMemory(),
      /Cannot copy a memory of which a window holds tokens back/,
    );
    await assert.rejects(model.memoryBytes(), /a sliding window holds tokens back from it/);
    await assert.rejects(
      model.remember(text, { beforeTokens: 26 }),
      /beforeTokens must be an integer from 0, below the 26 tokens of a row: current value is 26/,
    );
  });
}, { kinds: testedDevices });
