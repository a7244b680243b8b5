import { openTorchFile, TorchTensor } from "../../src/formats/torch_file.ts";
import { describe, type PickleTuple, type PickleValue } from "../../src/formats/pickle.ts";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import { assert, fixturePath, sharedTest, test } from "../testing.ts";
import { withFolder } from "../temporary_folder.ts";
import {
  floatStorage,
  globalInstruction,
  pickleBytes,
  pickleInstructions,
  RawPickle,
  TensorToWrite,
  textInstruction,
  torchBytes,
  type ValueToWrite,
  zipBytes,
} from "./torch_archive.ts";

/** Writes bytes to a file, reads all tensors of its top-level dictionary. */
async function readTensors(folder: string, bytes: Uint8Array) {
  await Deno.writeFile(`${folder}/some.pt`, bytes);
  using file = await openTorchFile(`${folder}/some.pt`);
  const tensors: Record<string, { shape: readonly number[]; data: number[] }> = {};
  for (const [name, tensor] of file.content as Map<string, TorchTensor>) {
    const { shape, data } = await file.read(tensor);
    tensors[name] = { shape, data: [...data] };
  }
  return tensors;
}

test("TorchFile.read() respects shape, stride, offset and shared storages", () =>
  withFolder(async (folder) => {
    const storage = floatStorage("0", Float32Array.from({ length: 24 }, (_, i) => i));
    const content = {
      whole: new TensorToWrite(storage, [2, 3, 4]),
      transposed: new TensorToWrite(storage, [3, 2], [1, 3]),
      column: new TensorToWrite(storage, [6], [4], 3),
      part: new TensorToWrite(storage, [2, 2], [2, 1], 10),
      permuted: new TensorToWrite(storage, [2, 2, 2], [1, 12, 4], 1),
      scalar: new TensorToWrite(storage, [], [], 7),
      empty: new TensorToWrite(storage, [0, 5], [5, 1], 0),
      oddStride: new TensorToWrite(storage, [1, 3], [100, 1], 2),
      repeated: new TensorToWrite(storage, [2, 3], [0, 1], 5),
    };
    assert.deepEqual(await readTensors(folder, torchBytes(content, [storage])), {
      whole: { shape: [2, 3, 4], data: Array.from({ length: 24 }, (_, i) => i) },
      transposed: { shape: [3, 2], data: [0, 3, 1, 4, 2, 5] },
      column: { shape: [6], data: [3, 7, 11, 15, 19, 23] },
      part: { shape: [2, 2], data: [10, 11, 12, 13] },
      permuted: { shape: [2, 2, 2], data: [1, 5, 13, 17, 2, 6, 14, 18] },
      scalar: { shape: [], data: [7] },
      empty: { shape: [0, 5], data: [] },
      oddStride: { shape: [1, 3], data: [2, 3, 4] },
      repeated: { shape: [2, 3], data: [5, 6, 7, 5, 6, 7] },
    });
  }));

test("TorchTensor.sameView() is true only for the same elements in the same order", () =>
  withFolder(async (folder) => {
    const [first, second] = ["0", "1"].map((key) => floatStorage(key, new Float32Array(8)));
    const views = {
      a: new TensorToWrite(first, [2, 2]),
      otherStorage: new TensorToWrite(second, [2, 2]),
      otherOffset: new TensorToWrite(first, [2, 2], [2, 1], 4),
      otherShape: new TensorToWrite(first, [4, 1], [2, 1]),
      otherStride: new TensorToWrite(first, [2, 2], [1, 2]),
    };
    const content = { ...views, same: new TensorToWrite(first, [2, 2]) };
    await Deno.writeFile(`${folder}/some.pt`, torchBytes(content, [first, second]));
    using file = await openTorchFile(`${folder}/some.pt`);
    const tensors = file.content as Map<string, TorchTensor>;
    const same = [...tensors.keys()].filter((name) =>
      tensors.get(name)!.sameView(tensors.get("a")!)
    );
    assert.deepEqual(same, ["a", "same"]);
  }));

test("TorchFile.read() converts every element type", () =>
  withFolder(async (folder) => {
    const storages = [
      { storageClass: "HalfStorage", data: Uint16Array.of(0x3c00, 0xc000) },
      { storageClass: "BFloat16Storage", data: Uint16Array.of(0x3f80, 0xc000) },
      { storageClass: "DoubleStorage", data: Float64Array.of(0.5, 1e300) },
      { storageClass: "LongStorage", data: BigInt64Array.of(-3n, 4n) },
      { storageClass: "IntStorage", data: Int32Array.of(-5, 6) },
      { storageClass: "ByteStorage", data: Uint8Array.of(255, 0) },
      { storageClass: "BoolStorage", data: Uint8Array.of(1, 0) },
      { storageClass: "CharStorage", data: Int8Array.of(-128, 3) },
      { storageClass: "ShortStorage", data: Int16Array.of(-300, 3) },
    ].map((storage, i) => ({ ...storage, key: `${i}`, elements: 2 }));
    // Reversed by stride where that is possible, so that gathering integers is seen too.
    const content = Object.fromEntries(
      storages.map((storage) => [storage.storageClass, new TensorToWrite(storage, [2, 1], [1, 2])]),
    );
    const tensors = await readTensors(folder, torchBytes(content, storages));
    assert.deepEqual(Object.values(tensors).map(({ data }) => data), [
      [1, -2],
      [1, -2],
      [0.5, Infinity],
      [-3, 4],
      [-5, 6],
      [255, 0],
      [1, 0],
      [-128, 3],
      [-300, 3],
    ]);
  }));

test("TorchFile.read() reads archives with the 64-bit extension and aligned data", () =>
  withFolder(async (folder) => {
    const storage = floatStorage("0", Float32Array.of(1, 2, 3));
    const bytes = torchBytes({ x: new TensorToWrite(storage, [3]) }, [storage], {
      zip64: true,
      padding: 33,
      byteOrder: "little",
    });
    assert.deepEqual((await readTensors(folder, bytes)).x.data, [1, 2, 3]);
  }));

test("openTorchFile() passes over what stands beside the tensors, and reads parameters as tensors", () =>
  withFolder(async (folder) => {
    const complex = {
      storageClass: "ComplexDoubleStorage",
      key: "1",
      data: new Float64Array(2),
      elements: 1,
    };
    const view = new TensorToWrite(storage, [3]);
    const rebuilt = new RawPickle(pickleInstructions(view));
    const call = (module: string, name: string, ...args: number[]) =>
      new RawPickle([...globalInstruction(module, name), 0x28, ...args, 0x74, 0x52]);
    const floatType = globalInstruction("torch", "float32");
    // numpy.dtype("f8", False, True), then its state; an array is made empty, then filled.
    const type = [
      ...call("numpy", "dtype", ...textInstruction("f8"), 0x89, 0x88).bytes,
      ...[0x28, 0x4b, 3, ...textInstruction("<"), 0x4e, 0x74, 0x62],
    ];
    const array = (core: string) =>
      new RawPickle([
        ...call(
          `${core}.multiarray`,
          "_reconstruct",
          ...globalInstruction("numpy", "ndarray"),
          ...[0x4b, 0, 0x85, 0x43, 1, 0x62],
        ).bytes,
        ...[0x28, 0x4b, 1, 0x4b, 3, 0x85, ...type, 0x89, 0x43, 3, 1, 2, 3, 0x74, 0x62],
      ]);
    const content = {
      beside: {
        expanded: new TensorToWrite(storage, [1000, 3], [0, 1]),
        complex: new TensorToWrite(complex, [1]),
        size: call("torch", "Size", 0x4b, 2, 0x4b, 3, 0x86),
        device: call("torch", "device", ...textInstruction("cuda"), 0x4b, 0),
        type: new RawPickle(floatType),
        scalar: call("numpy.core.multiarray", "scalar", ...type, 0x43, 8, 0, 0, 0, 0, 0, 0, 0, 0),
        array: array("numpy.core"),
        laterArray: array("numpy._core"),
      },
      parameter: call("torch._utils", "_rebuild_parameter", ...rebuilt.bytes, 0x88, 0x4e),
      parameterWithState: call(
        "torch._utils",
        "_rebuild_parameter_with_state",
        ...[...rebuilt.bytes, 0x88, 0x4e, 0x7d],
      ),
      ofType: call(
        "torch._tensor",
        "_rebuild_from_type_v2",
        ...globalInstruction("torch._utils", "_rebuild_parameter"),
        ...globalInstruction("torch.nn.parameter", "Parameter"),
        ...[0x28, ...rebuilt.bytes, 0x88, 0x4e, 0x74, 0x7d],
      ),
    };
    await Deno.writeFile(`${folder}/some.pt`, torchBytes(content, [storage, complex]));
    using file = await openTorchFile(`${folder}/some.pt`);
    const { beside, ...tensors } = Object.fromEntries(file.content as Map<string, PickleValue>);
    assert.deepEqual((beside as Map<string, PickleTuple>).get("size")!.items, [2, 3]);
    assert.equal(
      describe((beside as Map<string, PickleValue>).get("laterArray")).slice(0, 7),
      "a value",
    );
    assert.equal(Object.keys(tensors).length, 3);
    for (const tensor of Object.values(tensors)) {
      assert.deepEqual((await file.read(tensor as TorchTensor)).data, Float32Array.of(1, 2, 3));
    }
  }));

test("TorchFile.read() reads an archive without checksums, but none of which one checksum is missing", () =>
  withFolder(async (folder) => {
    const entries = (crcOf: (i: number) => { crc?: number }) =>
      zipBytes([
        { name: "saved/data.pkl", data: pickleBytes({ x: new TensorToWrite(storage, [3]) }) },
        { name: "saved/data/0", data: new Uint8Array(storage.data.buffer) },
        { name: "saved/empty", data: new Uint8Array(0) },
      ].map((entry, i) => ({ ...entry, ...crcOf(i) })));
    const without = entries(() => ({ crc: 0 }));
    assert.deepEqual((await readTensors(folder, without)).x.data, [1, 2, 3]);
    await assert.rejects(
      readTensors(folder, entries((i) => i === 1 ? { crc: 0 } : {})),
      /bytes of entry "saved\/data\/0" are damaged: expected CRC-32 00000000/,
    );
  }));

const storage = floatStorage("0", Float32Array.of(1, 2, 3));
const tensor = (shape: number[], stride?: number[], offset?: number) =>
  torchBytes({ x: new TensorToWrite(storage, shape, stride, offset) }, [storage]);
const withContent = (content: ValueToWrite) => torchBytes(content, [storage]);

const refused: { name: string; bytes: Uint8Array; message: RegExp }[] = [
  {
    name: "a tensor beyond its storage",
    bytes: tensor([4]),
    message:
      /shape \[4\], stride \[1\] and offset 0 does not fit its storage of 3 elements, at byte/,
  },
  { name: "an offset beyond the storage", bytes: tensor([2], [1], 2), message: /does not fit/ },
  { name: "a stride beyond the storage", bytes: tensor([2, 1], [3, 1]), message: /does not fit/ },
  {
    name: "a small storage repeated to a huge tensor",
    bytes: tensor([2 ** 30, 2 ** 30], [0, 0]),
    message: /shape \[1073741824,1073741824\] repeats elements of its 3: save a copy/,
  },
  {
    name: "complex numbers",
    bytes: torchBytes({
      x: new TensorToWrite({
        storageClass: "ComplexFloatStorage",
        key: "0",
        data: new Float32Array(2),
        elements: 1,
      }, [1]),
    }, [{ storageClass: "", key: "0", data: new Float32Array(2), elements: 1 }]),
    message: /entry "saved\/data\/0" of .* as its numbers are complex64: allowed are real ones/,
  },
  {
    name: "a parameter that is no tensor",
    bytes: withContent({
      x: new RawPickle([
        ...globalInstruction("torch._utils", "_rebuild_parameter"),
        ...[0x4e, 0x89, 0x4e, 0x87, 0x52],
      ]),
    }),
    message: /a parameter must be made of a tensor: it is made of None/,
  },
  {
    name: "a tensor rebuilt by a function that rebuilds by a function",
    bytes: withContent({
      x: new RawPickle([
        ...globalInstruction("torch._tensor", "_rebuild_from_type_v2"),
        ...globalInstruction("torch._tensor", "_rebuild_from_type_v2"),
        ...[0x4e, 0x29, 0x87, 0x52],
      ]),
    }),
    message: /must not be rebuilt by torch\._tensor\._rebuild_from_type_v2/,
  },
  { name: "a negative stride", bytes: tensor([2], [-1], 2), message: /must be whole numbers/ },
  { name: "a negative size", bytes: tensor([-2], [1]), message: /must be whole numbers/ },
  { name: "a missing stride", bytes: tensor([2, 1], [1]), message: /as many strides as sizes/ },
  {
    name: "65 dimensions",
    bytes: tensor(new Array(65).fill(1)),
    message: /must be whole numbers/,
  },
  {
    name: "a storage of another size than declared",
    bytes: torchBytes({ x: new TensorToWrite({ ...storage, elements: 4 }, [4]) }, [storage]),
    message: /storage "0" disagree: expected 16 bytes for 4 elements of float32, found 12/,
  },
  {
    name: "a storage that is absent",
    bytes: torchBytes({ x: new TensorToWrite({ ...storage, key: "../data.pkl" }, [3]) }, [storage]),
    message: /storage "\.\.\/data\.pkl" is not in the archive/,
  },
  {
    name: "a storage class that is unknown",
    bytes: torchBytes(
      { x: new TensorToWrite({ ...storage, storageClass: "QInt8Storage" }, [3]) },
      [],
    ),
    message: /global "torch\.QInt8Storage" is not allowed: allowed are tensors and plain data/,
  },
  {
    name: "a persistent id of another form",
    bytes: withContent({ x: new RawPickle([0x4b, 1, 0x51]) }),
    message: /must be \(storage, class, key, device, elements\): it is 1, at byte/,
  },
  {
    name: "a tensor rebuilt from nothing",
    bytes: withContent({
      x: new RawPickle([...globalInstruction("torch._utils", "_rebuild_tensor_v2"), 0x29, 0x52]),
    }),
    message: /must be rebuilt from a storage: it is from nothing/,
  },
  {
    name: "os.system",
    bytes: withContent({ x: new RawPickle([...globalInstruction("os", "system"), 0x29, 0x52]) }),
    message: /global "os\.system" is not allowed.* at byte 10/,
  },
  {
    name: "another byte order",
    bytes: torchBytes({}, [], { byteOrder: "big" }),
    message: /byte order must be "little": current value is "big"/,
  },
  {
    name: "an archive of something else",
    bytes: zipBytes([{ name: "word/document.xml", data: new Uint8Array(1) }]),
    message: /must have one "<name>\/data\.pkl": it has 0; its 1 entries begin with word\/document/,
  },
  {
    name: "an archive of two checkpoints",
    bytes: zipBytes([
      { name: "a/data.pkl", data: pickleBytes(null) },
      { name: "b/data.pkl", data: pickleBytes(null) },
    ]),
    message: /must have one "<name>\/data\.pkl": it has 2/,
  },
  {
    name: "torch's format before 1.6",
    bytes: new Uint8Array([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9]),
    message: /is a bare pickle, torch's format before version 1\.6: save it again/,
  },
  {
    name: "an empty file",
    bytes: new Uint8Array(0),
    message: /expected a zip archive, which starts with "PK", found 0 bytes/,
  },
  {
    name: "a file of something else",
    bytes: new TextEncoder().encode("GGUF....."),
    message: /expected a zip archive, which starts with "PK", found \[71,71,85,70\]/,
  },
];

for (const { name, bytes, message } of refused) {
  test(`openTorchFile() refuses ${name}`, () =>
    withFolder(async (folder) => {
      await assert.rejects(readTensors(folder, bytes), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.includes(`${folder}/some.pt`), error.message);
        return true;
      });
    }));
}

sharedTest("TorchFile.read() reads the official backbone bit for bit", async () => {
  using file = await openTorchFile(fixturePath("backbone.pt"));
  const model = (file.content as Map<string, Map<string, TorchTensor>>).get("model")!;
  const { tensors } = await readSafetensors(fixturePath("backbone.safetensors"));
  assert.equal(model.size, tensors.size);
  for (const [name, tensor] of model) assert.deepEqual(await file.read(tensor), tensors.get(name));
});

sharedTest(
  "TorchFile.read() finds one damaged byte of a weight",
  () =>
    withFolder(async (folder) => {
      const bytes = await Deno.readFile(fixturePath("backbone.pt"));
      // Inside the first storage, which takes the 12,416 bytes from about 33,000 on.
      bytes[40_000] ^= 1;
      await Deno.writeFile(`${folder}/damaged.pt`, bytes);
      using file = await openTorchFile(`${folder}/damaged.pt`);
      const model = (file.content as Map<string, Map<string, TorchTensor>>).get("model")!;
      await assert.rejects(async () => {
        for (const tensor of model.values()) await file.read(tensor);
      }, /damaged\.pt" as the bytes of entry "backbone\/data\/\d+" are damaged: expected CRC-32/);
    }),
);
