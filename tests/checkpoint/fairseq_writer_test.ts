import { readFairseq, readFairseqSizes } from "../../src/checkpoint/fairseq.ts";
import { writeFairseqBackbone, writeFairseqLongMem } from "../../src/checkpoint/fairseq_writer.ts";
import { openTorchFile, TorchTensor } from "../../src/formats/torch_file.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, fixturePath, sharedTest, test } from "../testing.ts";
import {
  backboneShape,
  backboneWeights,
  memory,
  sideNetShape,
  sideNetWeights,
} from "./tiny_models.ts";

const backbone = { shape: backboneShape, weights: backboneWeights, contextTokens: 12 };
const sideNet = { shape: sideNetShape, weights: sideNetWeights };

/** Tensors of an official checkpoint: shape, strides, element type, and the first name of the numbers that they refer to. */
async function layoutOf(path: string) {
  using file = await openTorchFile(path);
  assert.ok(file.content instanceof Map);
  const model = file.content.get("model");
  assert.ok(model instanceof Map);
  const first = new Map<unknown, unknown>();
  const tensors = Array.from(model, ([name, tensor]) => {
    assert.ok(tensor instanceof TorchTensor);
    const { storage, shape, stride, offset } = tensor;
    if (!first.has(storage.entry)) first.set(storage.entry, name);
    const { format, elements } = storage;
    return { name, shape, stride, offset, format, elements, storage: first.get(storage.entry) };
  });
  const { content } = file, parts = [...content.keys()].sort();
  return { tensors: tensors.sort((a, b) => String(a.name) < String(b.name) ? -1 : 1), parts };
}

for (const name of ["backbone", "longmem"]) {
  sharedTest(
    `what is written has names, shapes, types and sharing of the official ${name}.pt`,
    () =>
      withFolder(async (folder) => {
        const official = fixturePath(`${name}.pt`), written = `${folder}/${name}.pt`;
        const checkpoint = await readFairseq(official);
        if ("sideNet" in checkpoint) await writeFairseqLongMem(written, checkpoint);
        else await writeFairseqBackbone(written, checkpoint);
        assert.deepEqual(await readFairseq(written), checkpoint);
        const [expected, actual] = [await layoutOf(official), await layoutOf(written)];
        assert.deepEqual(actual.parts, expected.parts);
        assert.ok(expected.tensors.length > 80);
        // Which of two names comes first is nobody's business; that they share their numbers is.
        const shared = ({ tensors }: typeof actual) =>
          [...Map.groupBy(tensors, ({ storage }) => storage).values()]
            .filter((group) => group.length > 1).map((group) => group.map(({ name }) => name));
        assert.deepEqual(shared(actual), shared(expected));
        const plain = ({ tensors }: typeof actual) =>
          tensors.map(({ storage: _storage, ...tensor }) => tensor);
        assert.deepEqual(plain(actual), plain(expected));
      }),
  );
}

test("a backbone and a LongMem are read back as they were written, bit for bit", () =>
  withFolder(async (folder) => {
    const path = `${folder}/new.pt`;
    await writeFairseqBackbone(path, backbone);
    assert.deepEqual(await readFairseq(path), backbone);
    assert.deepEqual(await readFairseqSizes(path), { kind: "backbone", backbone: backboneShape });
    const { contextTokens: _, ...withoutWindow } = backbone;
    for (const written of [backbone, withoutWindow]) {
      await writeFairseqLongMem(path, { backbone: written, sideNet, memory });
      assert.deepEqual(await readFairseq(path), { backbone: written, sideNet, memory });
    }
    assert.deepEqual(await readFairseqSizes(path), {
      kind: "longmem",
      backbone: backboneShape,
      sideNet: sideNetShape,
    });
  }));

test("the official format has the paper's model alone", () =>
  withFolder(async (folder) => {
    const path = `${folder}/new.pt`;
    const gpt2 = { ...backbone, shape: { ...backboneShape, architecture: "gpt2" } };
    const message = /as it is of the paper's architecture alone: current value is "gpt2"/;
    await assert.rejects(writeFairseqBackbone(path, gpt2), message);
    await assert.rejects(writeFairseqLongMem(path, { backbone: gpt2, sideNet, memory }), message);
    for (const wiring of [{ crossNetworkResidual: false }, { lastResidual: "raw" }] as const) {
      const other = { ...sideNet, shape: { ...sideNetShape, ...wiring } };
      await assert.rejects(
        writeFairseqLongMem(path, { backbone, sideNet: other, memory }),
        /its SideNet is wired in another way: current values are crossNetworkResidual (true and lastResidual "raw"|false)/,
      );
    }
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  }));
