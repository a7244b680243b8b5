import {
  type IntegerTensor,
  openSafetensors,
  readSafetensors,
  writeSafetensors,
} from "../../src/formats/safetensors.ts";
import { ByteFile } from "../../src/formats/byte_file.ts";
import type { HostTensor } from "../../src/tensor.ts";
import { assert, fixturePath, sharedTest, test } from "../testing.ts";
import { withFolder } from "../temporary_folder.ts";

/** A safetensors file by hand: header text and data bytes. */
function safetensorsBytes(header: string, data: ArrayBuffer | Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data instanceof Uint8Array ? data : new Uint8Array(data), 8 + text.length);
  return bytes;
}

const someTensors = new Map<string, HostTensor | IntegerTensor>([
  ["z", { shape: [2, 3], data: new Float32Array([1, -0, NaN, Infinity, 1e-42, 6]) }],
  ["10", { shape: [], data: new Float32Array([0.1]) }],
  ["2", { shape: [0, 4], data: new Float32Array(0) }],
  ["ids", { shape: [2], data: new Int32Array([-1, 2 ** 31 - 1]) }],
]);

test("readSafetensors() returns what writeSafetensors() wrote, bit for bit", () =>
  withFolder(async (folder) => {
    const path = `${folder}/a.safetensors`;
    await writeSafetensors(path, someTensors, { source: "a test", é: "ü" });
    const { tensors, integers, metadata } = await readSafetensors(path);
    assert.deepEqual(metadata, { source: "a test", é: "ü" });
    assert.deepEqual([...tensors.keys()].sort(), ["10", "2", "z"]);
    for (const [name, { shape, data }] of someTensors) {
      const found = (tensors.get(name) ?? integers.get(name))!;
      assert.deepEqual(found.shape, shape);
      assert.equal(found.data.constructor, data.constructor);
      assert.deepEqual(new Uint8Array(found.data.buffer), new Uint8Array(data.buffer));
    }
  }));

test("writeSafetensors() gives equal bytes for equal input, and data aligned to 8 bytes", () =>
  withFolder(async (folder) => {
    const [a, b] = [`${folder}/a`, `${folder}/b`];
    await writeSafetensors(a, someTensors, { x: "1", y: "2" });
    await writeSafetensors(b, new Map([...someTensors].reverse()), { y: "2", x: "1" });
    const bytes = await Deno.readFile(a);
    assert.deepEqual(bytes, await Deno.readFile(b));
    assert.equal(new DataView(bytes.buffer).getBigUint64(0, true) % 8n, 0n);
  }));

test("writeSafetensors() rounds to float16, and refuses what that does not hold", () =>
  withFolder(async (folder) => {
    const path = `${folder}/half.safetensors`;
    const tensors = (value: number) =>
      new Map<string, HostTensor | IntegerTensor>([
        ["a", { shape: [2], data: Float32Array.of(0.1, value) }],
        ["b", { shape: [1], data: Int32Array.of(70_000) }],
      ]);
    await writeSafetensors(path, tensors(-2), {}, "float16");
    const { tensors: floats, integers } = await readSafetensors(path);
    assert.deepEqual(floats.get("a")!.data, Float32Array.of(Math.f16round(0.1), -2));
    assert.deepEqual(integers.get("b")!.data, Int32Array.of(70_000));
    await assert.rejects(writeSafetensors(path, tensors(1e5), {}, "float16"), {
      name: "RangeError",
      message:
        /tensor "a" leaves float16's range: current value is 100000, allowed are values up to 65504/,
    });
  }));

test("writeSafetensors() writes the view's part of a larger buffer only", () =>
  withFolder(async (folder) => {
    const path = `${folder}/a`;
    const data = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
    await writeSafetensors(path, new Map([["x", { shape: [2], data }]]));
    assert.deepEqual((await readSafetensors(path)).tensors.get("x")!.data, Float32Array.of(1, 2));
  }));

test("writeSafetensors() leaves the earlier file and nothing else when it fails", () =>
  withFolder(async (folder) => {
    const path = `${folder}/a`;
    await writeSafetensors(path, someTensors);
    const before = await Deno.readFile(path);
    await assert.rejects(
      writeSafetensors(path, new Map([["x", { shape: [3], data: new Float32Array(2) }]])),
      /tensor "x" of shape \[3\] must have 3 values: it has 2/,
    );
    // A folder of that name: the rename fails after the temporary file was written.
    await Deno.mkdir(`${folder}/taken/inside`, { recursive: true });
    await assert.rejects(writeSafetensors(`${folder}/taken`, someTensors));
    assert.deepEqual(await Deno.readFile(path), before);
    assert.deepEqual((await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort(), [
      "a",
      "taken",
    ]);
  }));

test("readSafetensors() converts half, bfloat16, double and int64 values", () =>
  withFolder(async (folder) => {
    const path = `${folder}/a`;
    const data = new Uint8Array(4 + 4 + 8 + 16);
    const view = new DataView(data.buffer);
    view.setUint16(0, 0x3555, true); // 0.333251953125
    view.setUint16(2, 0x8001, true); // the smallest negative half, -2^-24
    view.setUint16(4, 0x3f80, true); // 1
    view.setUint16(6, 0xc049, true); // -3.140625
    view.setFloat64(8, 0.1, true);
    view.setBigInt64(16, -5n, true);
    view.setBigInt64(24, 7n, true);
    const header = `{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},` +
      `"b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]},` +
      `"d":{"dtype":"F64","shape":[],"data_offsets":[8,16]},` +
      `"i":{"dtype":"I64","shape":[2],"data_offsets":[16,32]}}`;
    await Deno.writeFile(path, safetensorsBytes(header, data));
    const { tensors, integers } = await readSafetensors(path);
    assert.deepEqual([...tensors.get("h")!.data], [0.333251953125, -(2 ** -24)]);
    assert.deepEqual([...tensors.get("b")!.data], [1, -3.140625]);
    assert.deepEqual([...tensors.get("d")!.data], [Math.fround(0.1)]);
    assert.deepEqual([...integers.get("i")!.data], [-5, 7]);

    view.setBigInt64(24, 2n ** 31n, true);
    await Deno.writeFile(path, safetensorsBytes(header, data));
    await assert.rejects(
      readSafetensors(path),
      /tensor "i" of ".*a" as int32 as value 1 does not fit: it is 2147483648/,
    );
  }));

test("SafetensorsFile.read() reads one tensor, also when several are asked for at once", () =>
  withFolder(async (folder) => {
    const path = `${folder}/a`;
    await writeSafetensors(path, someTensors);
    using file = await openSafetensors(path);
    const names = [...someTensors.keys()];
    const found = await Promise.all(names.map((name) => file.read(name)));
    found.forEach((tensor, i) => assert.deepEqual(tensor, someTensors.get(names[i])));
    await assert.rejects(
      file.read("y"),
      /Cannot read tensor "y" as ".*a" does not have it: its tensors/,
    );
  }));

const entry = (shape: string, offsets: string, dtype = "F32") =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;

const malformed: { name: string; bytes: Uint8Array; message: RegExp }[] = [
  {
    name: "an empty file",
    bytes: new Uint8Array(0),
    message: /expected at least 8 bytes, found 0/,
  },
  {
    name: "a truncated file",
    bytes: safetensorsBytes(`{"x":${entry("[2]", "[0,8]")}}`, new Uint8Array(7)),
    message: /is truncated: expected 70 bytes, found 69/,
  },
  {
    name: "a file with bytes behind the data",
    bytes: safetensorsBytes(`{"x":${entry("[2]", "[0,8]")}}`, new Uint8Array(9)),
    message: /bytes follow its last tensor: expected 70 bytes, found 71/,
  },
  {
    name: "a truncated header",
    bytes: safetensorsBytes(`{"x":${entry("[2]", "[0,8]")}}`, new Uint8Array(8)).subarray(0, 30),
    message: /truncated in its header: expected at least 62 bytes, found 30/,
  },
  {
    name: "a page of text",
    bytes: new TextEncoder().encode("<!doctype html><title>Not found</title>"),
    message: /not a safetensors file: its first 8 bytes give a header of/,
  },
  {
    name: "a header that is not JSON",
    bytes: safetensorsBytes(`{"x":`, new Uint8Array(0)),
    message: /its safetensors header is not JSON/,
  },
  {
    name: "a header that is a list",
    bytes: safetensorsBytes(`[1]`, new Uint8Array(0)),
    message: /header must be an object: current value is \[1\]/,
  },
  {
    name: "an unknown dtype",
    bytes: safetensorsBytes(`{"x":${entry("[2]", "[0,2]", "F8_E4M3")}}`, new Uint8Array(2)),
    message: /tensor "x" .*current value is "F8_E4M3", allowed are F64, F32/,
  },
  {
    name: "a dtype that names a property of every object",
    bytes: safetensorsBytes(`{"x":${entry("[2]", "[0,2]", "constructor")}}`, new Uint8Array(2)),
    message: /tensor "x" .*current value is "constructor"/,
  },
  {
    name: "a negative size",
    bytes: safetensorsBytes(`{"x":${entry("[-2]", "[0,8]")}}`, new Uint8Array(8)),
    message: /shape must be a list of sizes: current value is \[-2\]/,
  },
  {
    name: "offsets that run backwards",
    bytes: safetensorsBytes(`{"x":${entry("[2]", "[8,0]")}}`, new Uint8Array(8)),
    message: /data_offsets must be \[begin, end\]: current value is \[8,0\]/,
  },
  {
    name: "offsets that disagree with the shape",
    bytes: safetensorsBytes(`{"x":${entry("[3]", "[0,8]")}}`, new Uint8Array(8)),
    message: /F32 of shape \[3\] needs 12 bytes, found 8/,
  },
  {
    name: "a gap between tensors",
    bytes: safetensorsBytes(
      `{"x":${entry("[1]", "[0,4]")},"y":${entry("[1]", "[8,12]")}}`,
      new Uint8Array(12),
    ),
    message: /tensor "y" starts at byte 8 of the data, expected 4/,
  },
  {
    name: "tensors that overlap",
    bytes: safetensorsBytes(
      `{"x":${entry("[2]", "[0,8]")},"y":${entry("[1]", "[4,8]")}}`,
      new Uint8Array(8),
    ),
    message: /tensor "y" starts at byte 4 of the data, expected 8/,
  },
  ...[
    {
      name: "a tensor twice",
      header: `{"x":${entry("[2]", "[0,8]")},"x":${entry("[2]", "[0,8]")}}`,
    },
    {
      name: "a tensor twice, spelled in two ways and of another type",
      header: `{"x":${entry("[4]", "[0,8]", "F16")} , "\\u0078" : ${entry("[2]", "[0,8]")}}`,
    },
    {
      name: "a field of an entry twice",
      header: `{"y":{"x":0,"dtype":"F32","x":1,"shape":[2],"data_offsets":[0,8]}}`,
    },
    {
      name: "metadata twice",
      header: `{"__metadata__":{"x":"1","z":"\\"x\\":{","x":"2"},"y":${entry("[2]", "[0,8]")}}`,
    },
  ].map(({ name, header }) => ({
    name,
    bytes: safetensorsBytes(header, new Uint8Array(8)),
    message: /its safetensors header has the key "x" twice$/,
  })),
  {
    name: "a header nested 200,000 deep",
    bytes: safetensorsBytes(
      `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`,
      new Uint8Array(0),
    ),
    message: /safetensors header is nested deeper than 16 levels/,
  },
  {
    name: "an unfinished text",
    bytes: safetensorsBytes(`{"a\\`, new Uint8Array(0)),
    message: /its safetensors header is not JSON/,
  },
  {
    name: "a header of too many tensors",
    bytes: safetensorsBytes(
      `{${Array.from({ length: 300_000 }, (_, i) => `"${i}":0`)}}`,
      new Uint8Array(0),
    ),
    message: /safetensors header has more than 262144 tensors/,
  },
  ...["NaN", "1e999", "1.5", `"2"`, "null", "-0.5", "[2]"].map((size) => ({
    name: `a size that is ${size}`,
    bytes: safetensorsBytes(`{"x":${entry(`[${size}]`, "[0,8]")}}`, new Uint8Array(8)),
    message: /header is not JSON|tensor "x" .* as its shape must be a list of sizes/,
  })),
  ...["[0]", "[0,8,8]", "8", `"0,8"`, "[-4,4]", "null"].map((offsets) => ({
    name: `offsets that are ${offsets}`,
    bytes: safetensorsBytes(`{"x":${entry("[2]", offsets)}}`, new Uint8Array(8)),
    message: /tensor "x" .* as its data_offsets must be \[begin, end\]: current value is /,
  })),
  {
    name: "an entry that is a list",
    bytes: safetensorsBytes(`{"x":[${entry("[2]", "[0,8]")}]}`, new Uint8Array(8)),
    message: /tensor "x" .* as its entry must be an object: current value is \[/,
  },
  {
    name: "a tensor named __proto__ of no bytes",
    bytes: safetensorsBytes(`{"__proto__":${entry("[2]", "[0,0]")}}`, new Uint8Array(0)),
    message: /tensor "__proto__" .* needs 8 bytes, found 0/,
  },
  {
    name: "text that is not UTF-8",
    bytes: Uint8Array.of(
      9,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0x7b,
      0x22,
      0xff,
      0xfe,
      0x22,
      0x3a,
      0x31,
      0x7d,
      0x20,
    ),
    message: /its safetensors header is not JSON/,
  },
  {
    name: "metadata that is not text",
    bytes: safetensorsBytes(`{"__metadata__":{"a":1}}`, new Uint8Array(0)),
    message: /"__metadata__" must map texts to texts/,
  },
];

for (const { name, bytes, message } of malformed) {
  test(`readSafetensors() refuses ${name}, naming the file`, () =>
    withFolder(async (folder) => {
      const path = `${folder}/some.safetensors`;
      await Deno.writeFile(path, bytes);
      await assert.rejects(readSafetensors(path), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.includes(path), error.message);
        return true;
      });
    }));
}

test("readSafetensors() says that there is no such file", async () => {
  await assert.rejects(readSafetensors("/nowhere/a.safetensors"), {
    name: "NotFound",
    message: 'Cannot read "/nowhere/a.safetensors" as there is no such file',
  });
});

sharedTest("readSafetensors() reads the fixtures' floats, integers and metadata", async () => {
  const backbone = await readSafetensors(fixturePath("backbone.safetensors"));
  assert.equal(backbone.tensors.size, 85);
  assert.equal(backbone.metadata.keys, "as in backbone.pt['model']");
  const { integers } = await readSafetensors(fixturePath("data.safetensors"));
  // Targets are the sources one token later (specification section 10).
  const source = integers.get("src_tokens")!, target = integers.get("target")!;
  assert.deepEqual(source.shape, [7, 2, 16]);
  for (let t = 0; t < 15; t++) assert.equal(target.data[t], source.data[t + 1]);
});

test("Large tensors of 16-bit numbers are read by slices, to the same numbers", () =>
  withFolder(async (folder) => {
    const count = 2 ** 23 + 5; // a slice and a rest
    const bits = Uint16Array.from({ length: 2 * count }, (_, i) => i % 31_000);
    const header = {
      half: { dtype: "F16", shape: [count], ["data_offsets"]: [0, 2 * count] },
      brain: { dtype: "BF16", shape: [count], ["data_offsets"]: [2 * count, 4 * count] },
    };
    const path = `${folder}/large.safetensors`;
    await Deno.writeFile(path, safetensorsBytes(JSON.stringify(header), bits.buffer));
    const reads: number[] = [], read = ByteFile.prototype.read;
    ByteFile.prototype.read = function (offset, length) {
      reads.push(length);
      return read.call(this, offset, length);
    };
    try {
      using file = await openSafetensors(path);
      for (const [t, name] of ["half", "brain"].entries()) {
        const { data } = await file.read(name);
        assert.equal(data.length, count);
        for (const i of [0, 1, 1_000, 2 ** 23 - 1, 2 ** 23, count - 1]) {
          const word = bits[t * count + i];
          const expected = name === "half"
            ? new Float16Array(Uint16Array.of(word).buffer)[0]
            : new Float32Array(Uint32Array.of(word << 16).buffer)[0];
          assert.equal(data[i], expected, `${name} ${i}`);
        }
      }
    } finally {
      ByteFile.prototype.read = read;
    }
    assert.ok(Math.max(...reads) <= 2 ** 24, `${reads}`);
  }));
