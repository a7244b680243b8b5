import {
  describe,
  PickleGlobal,
  PickleNamespace,
  PickleTuple,
  type PickleValue,
  unpickle,
} from "../../src/formats/pickle.ts";
import { assert, test } from "../testing.ts";
import {
  globalInstruction,
  NamespaceToWrite,
  pickleBytes,
  RawPickle,
  textInstruction,
} from "./torch_archive.ts";

const read = (bytes: Uint8Array<ArrayBuffer>) => unpickle(bytes, { source: '"some.pt"' });
const raw = (...bytes: number[]) => new Uint8Array([0x80, 2, ...bytes]);
const ascii = (text: string) => [...new TextEncoder().encode(text)];

test("unpickle() reads plain data", () => {
  const value = read(pickleBytes({
    none: null,
    yes: true,
    small: 7,
    negative: -70_000,
    large: 2 ** 40,
    real: 0.1,
    text: "ä\u0000",
    list: [1, [2, "x"]],
    ordered: new Map([["b", 1], ["a", 2]]),
    namespace: new NamespaceToWrite(new Map<string, number>([["layers", 3]])),
  })) as Map<PickleValue, PickleValue>;
  const namespace = value.get("namespace") as PickleNamespace;
  assert.ok(namespace instanceof PickleNamespace);
  assert.equal(namespace.attributes.get("layers"), 3);
  value.delete("namespace");
  assert.deepEqual([...value], [
    ["none", null],
    ["yes", true],
    ["small", 7],
    ["negative", -70_000],
    ["large", 2 ** 40],
    ["real", 0.1],
    ["text", "ä\u0000"],
    ["list", [1, [2, "x"]]],
    ["ordered", new Map([["b", 1], ["a", 2]])],
  ]);
});

test("unpickle() reads integers of any size with their sign", () => {
  assert.equal(read(raw(0x8a, 0, 0x2e)), 0);
  assert.equal(read(raw(0x8a, 1, 0xff, 0x2e)), -1);
  assert.equal(read(raw(0x8a, 2, 0xff, 0x00, 0x2e)), 255);
  assert.equal(read(raw(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x2e)), 2n ** 64n);
});

test("unpickle() reads what protocols 3 to 5 add", () => {
  const short = (text: string) => [0x8c, text.length, ...ascii(text)];
  const u64 = (value: number) => [value, 0, 0, 0, 0, 0, 0, 0];
  const value = read(
    new Uint8Array([
      ...[0x80, 5, 0x95, ...u64(200), 0x7d, 0x94, 0x28],
      ...[...short("text"), 0x94, 0x8d, ...u64(2), ...ascii("ab"), 0x94],
      // Memos are numbered in their order: 0 the dictionary, 1 "text", 2 "ab".
      ...[...short("again"), 0x68, 2],
      ...[...short("bytes"), 0x5d, 0x28, 0x43, 1, 7, 0x42, 1, 0, 0, 0, 8, 0x8e, ...u64(1), 9],
      ...[0x96, ...u64(0), 0x65],
      ...[...short("set"), 0x8f, 0x28, 0x4b, 1, 0x4b, 2, 0x90],
      ...[...short("frozen"), 0x28, 0x4b, 1, 0x4b, 1, 0x91],
      ...[...short("long"), 0x8b, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
      ...[...short("namespace"), ...short("argparse"), ...short("Namespace"), 0x93, 0x29, 0x7d],
      ...[0x92, 0x7d, ...short("layers"), 0x4b, 3, 0x73, 0x62],
      ...[...short("default"), ...short("collections"), ...short("defaultdict"), 0x93],
      ...[...short("builtins"), ...short("dict"), 0x93, 0x85, 0x52, 0x4b, 1, 0x4b, 2, 0x73],
      ...[0x75, 0x2e],
    ]),
  ) as Map<string, PickleValue>;
  const { attributes } = value.get("namespace") as PickleNamespace;
  assert.deepEqual([...attributes], [["layers", 3]]);
  value.delete("namespace");
  assert.deepEqual([...value], [
    ["text", "ab"],
    ["again", "ab"],
    ["bytes", [Uint8Array.of(7), Uint8Array.of(8), Uint8Array.of(9), new Uint8Array(0)]],
    ["set", new Set([1, 2])],
    ["frozen", new Set([1])],
    ["long", 2n ** 64n],
    ["default", new Map([[1, 2]])],
  ]);
});

test("unpickle() passes over objects of plain Python types, however they are made", () => {
  const call = (module: string, name: string, ...args: number[]) =>
    new RawPickle([...globalInstruction(module, name), ...args, 0x52]);
  const value = read(pickleBytes({
    set: call("__builtin__", "set", 0x5d, 0x28, 0x4b, 1, 0x65, 0x85),
    bytes: call(
      "_codecs",
      "encode",
      ...textInstruction("\u00ff"),
      ...textInstruction("latin1"),
      0x86,
    ),
    made: new RawPickle([...globalInstruction("builtins", "complex"), 0x29, 0x81, 0x5d, 0x62]),
    after: 1,
  })) as Map<string, PickleValue>;
  assert.deepEqual([...value.values()].map(describe), [
    "a value of __builtin__.set",
    "a value of _codecs.encode",
    "a value of builtins.complex",
    "1",
  ]);
});

test("unpickle() shares a value that is recalled", () => {
  // [x, x] with x = [] kept under 5 and recalled.
  const list = read(raw(0x5d, 0x28, 0x5d, 0x71, 5, 0x68, 5, 0x65, 0x2e)) as PickleValue[];
  assert.equal(list.length, 2);
  assert.equal(list[0], list[1]);
});

test("unpickle() keeps keys that name prototypes as data", () => {
  const value = read(pickleBytes(new Map([["__proto__", 1], ["constructor", 2]])));
  assert.deepEqual([...value as Map<string, number>], [["__proto__", 1], ["constructor", 2]]);
});

/** `os.system("true")` and its relatives, as `__reduce__` writes them. */
const malicious: { module: string; name: string }[] = [
  { module: "os", name: "system" },
  { module: "posix", name: "system" },
  { module: "nt", name: "system" },
  { module: "builtins", name: "eval" },
  { module: "builtins", name: "exec" },
  { module: "builtins", name: "getattr" },
  { module: "__builtin__", name: "eval" },
  { module: "subprocess", name: "Popen" },
  { module: "torch.storage", name: "_load_from_bytes" },
  { module: "torch._utils", name: "_rebuild_parameter" },
  { module: "copyreg", name: "_reconstructor" },
  { module: "importlib", name: "import_module" },
  { module: "collections", name: "OrderedDict.__init__" },
  { module: "argparse", name: "Namespace.__class__" },
  { module: "collections.OrderedDict", name: "" },
  { module: "Object", name: "constructor" },
];

for (const { module, name } of malicious) {
  test(`unpickle() refuses ${module}.${name} by name and position, in every protocol`, () => {
    const reason =
      `global "${module}.${name}" is not allowed: allowed are tensors and plain data of ` +
      `Python, numpy and torch (load it in Python, leave this out, and save it again)`;
    const stackGlobal = [module, name].flatMap((part) => [0x8c, part.length, ...ascii(part), 0x94]);
    assert.throws(() => read(new Uint8Array([0x80, 4, ...stackGlobal, 0x93, 0x29, 0x52, 0x2e])), {
      name: "TypeError",
      message: `Cannot read the pickle of "some.pt" as ${reason}, at byte ${
        2 + stackGlobal.length
      }`,
    });
    const call = new RawPickle([
      ...globalInstruction(module, name),
      ...textInstruction("true"),
      0x85,
      0x52,
    ]);
    assert.throws(() => read(pickleBytes({ model: call })), {
      name: "TypeError",
      // Before the global: protocol (2), dictionary (1), mark (1) and the key (5 + 5).
      message: `Cannot read the pickle of "some.pt" as ${reason}, at byte 14`,
    });
  });
}

const refused: { name: string; bytes: Uint8Array<ArrayBuffer>; message: RegExp }[] = [
  {
    name: "INST, which calls by name in one instruction",
    bytes: raw(0x28, ...ascii("ios\nsystem\n"), 0x2e),
    message: /instruction 0x69 \("i"\) is not one that torch.save writes, at byte 3/,
  },
  {
    name: "a global whose name is no text",
    bytes: raw(...textInstruction("os"), 0x4b, 1, 0x93, 0x2e),
    message: /names a global by "os" and 1, at byte 11/,
  },
  {
    name: "items of what is no set",
    bytes: raw(0x5d, 0x28, 0x4e, 0x90, 0x2e),
    message: /adds items to a list of 0/,
  },
  {
    name: "bytes longer than the pickle",
    bytes: raw(0x8e, ...new Array(8).fill(0xff), 0x2e),
    message: /ends early: 18446744073709552000 bytes are needed/,
  },
  {
    name: "a text whose length has 64 bits and is too long",
    bytes: raw(0x8d, 0, 0, 0, 0, 0, 1, 0, 0, 0x2e),
    message: /ends early: 1099511627787 bytes are needed/,
  },
  { name: "an extension code", bytes: raw(0x82, 1, 0x2e), message: /instruction 0x82/ },
  {
    name: "another protocol",
    bytes: new Uint8Array([0x80, 6, 0x4e, 0x2e]),
    message: /protocol 6: allowed are 2 to 5, at byte 0/,
  },
  { name: "an empty pickle", bytes: new Uint8Array(0), message: /ends early/ },
  { name: "a pickle without STOP", bytes: raw(0x4e), message: /ends early: 4 bytes are needed/ },
  {
    name: "a text longer than the pickle",
    bytes: raw(0x58, 0xff, 0xff, 0xff, 0xff, 0x2e),
    message: /ends early: 4294967302 bytes are needed, it has 8, at byte 2/,
  },
  {
    name: "an unfinished name",
    bytes: raw(...ascii("cos\nsys")),
    message: /a name is not finished/,
  },
  {
    name: "text that is not UTF-8",
    bytes: raw(0x58, 1, 0, 0, 0, 0xff, 0x2e),
    message: /not UTF-8/,
  },
  { name: "an empty stack", bytes: raw(0x2e), message: /empty stack/ },
  {
    name: "a value below a mark",
    bytes: raw(0x5d, 0x28, 0x4b, 1, 0x61, 0x2e),
    message: /empty stack/,
  },
  { name: "a collection not begun", bytes: raw(0x5d, 0x65, 0x2e), message: /not begun/ },
  { name: "values left over", bytes: raw(0x4e, 0x4e, 0x2e), message: /1 values left over/ },
  {
    name: "a key without a value",
    bytes: raw(0x7d, 0x28, 0x4e, 0x75, 0x2e),
    message: /has no value/,
  },
  { name: "a value not kept", bytes: raw(0x68, 3, 0x2e), message: /recalls value 3/ },
  {
    name: "appending to a text",
    bytes: raw(...textInstruction("x"), 0x4e, 0x61, 0x2e),
    message: /appends to "x"/,
  },
  {
    name: "items of a list",
    bytes: raw(0x5d, 0x4e, 0x4e, 0x73, 0x2e),
    message: /sets items of a list/,
  },
  {
    name: "calling a text",
    bytes: raw(...textInstruction("eval"), 0x29, 0x52, 0x2e),
    message: /calls "eval"/,
  },
  {
    name: "calling a class that is only a name",
    bytes: raw(...globalInstruction("argparse", "Namespace"), 0x29, 0x52, 0x2e),
    message: /calls argparse.Namespace, which is not an allowed function/,
  },
  {
    name: "an OrderedDict with arguments",
    bytes: raw(...globalInstruction("collections", "OrderedDict"), 0x5d, 0x85, 0x52, 0x2e),
    message: /an OrderedDict is made empty: arguments were given/,
  },
  {
    name: "calling with a list",
    bytes: raw(...globalInstruction("collections", "OrderedDict"), 0x5d, 0x52, 0x2e),
    message: /calls with a list of 0/,
  },
  {
    name: "an object of another class",
    bytes: raw(...globalInstruction("collections", "OrderedDict"), 0x29, 0x81, 0x2e),
    message: /makes an object of collections.OrderedDict, which is not plain data/,
  },
  {
    name: "attributes of a class",
    bytes: raw(...globalInstruction("argparse", "Namespace"), 0x7d, 0x62, 0x2e),
    message: /sets attributes of argparse.Namespace/,
  },
  {
    name: "attributes from a list",
    bytes: raw(0x7d, 0x5d, 0x62, 0x2e),
    message: /attributes from a list/,
  },
  { name: "data outside of the pickle", bytes: raw(0x4e, 0x51, 0x2e), message: /outside/ },
  {
    name: "a huge integer",
    bytes: raw(0x8a, 255, 0x2e),
    message: /integer of 255 bytes: allowed are 32/,
  },
];

for (const { name, bytes, message } of refused) {
  test(`unpickle() refuses ${name}`, () => {
    assert.throws(() => read(bytes), (error: Error) => {
      assert.match(error.message, message);
      assert.match(error.message, /^Cannot read the pickle of "some\.pt" as .*, at byte \d+$/);
      return true;
    });
  });
}

test("unpickle() is bounded: doubled lists, deep nesting, endless marks, a list in itself", () => {
  // x0 = []; x(n+1) = [xn, xn]: 2^5000 paths, yet 5000 lists.
  const doubled = [0x5d];
  for (let i = 0; i < 5000; i++) {
    doubled.push(0x72, i & 255, i >> 8, 0, 0, 0x6a, i & 255, i >> 8, 0, 0, 0x86);
  }
  const top = read(raw(...doubled, 0x2e)) as PickleTuple;
  assert.equal(top.items[0], top.items[1]);

  const nested = new Uint8Array(2 + 500_000 + 500_000 + 1).fill(0x5d, 2).fill(0x61, 500_002);
  nested.set([0x80, 2]);
  nested.set([0x61, 0x2e], nested.length - 2);
  assert.throws(() => read(nested), /empty stack/);

  const marks = new Uint8Array(4_000_000).fill(0x28);
  assert.throws(() => read(marks), /nests too deeply/);
  assert.throws(() => read(new Uint8Array(4_000_000).fill(0x4e)), /too many values/);

  const collections = { count: 2 ** 19, message: /more than 524288 collections, at/ };
  const instructions = { count: 2 ** 21, message: /more than 2097152 instructions, at/ };
  const bombs = [
    // [{}, {}, ...]: one byte makes a dictionary of some hundred.
    { start: [0x5d], repeated: [0x7d, 0x61], ...collections },
    // A dictionary of ever new keys, and a memo of one value.
    { start: [0x7d], repeated: [0x5d, 0x4e, 0x73], ...collections },
    { start: [0x4e], repeated: [0x94], ...instructions },
    { start: [0x4e], repeated: [0x85], ...collections },
    { start: [0x8f], repeated: [0x28, 0x8f, 0x90], ...collections },
    { start: [0x5d], repeated: [0x43, 0, 0x61], ...collections },
    {
      start: [...globalInstruction("collections", "OrderedDict"), 0x71, 0, 0x29, 0x71, 1, 0x5d],
      repeated: [0x68, 0, 0x68, 1, 0x52, 0x61],
      count: 2 ** 19,
      message: /more than 2097152 instructions, at/,
    },
  ];
  for (const { start, repeated, count, message } of bombs) {
    const bytes = new Uint8Array(2 + start.length + repeated.length * (count + 10));
    bytes.set([0x80, 2, ...start, ...repeated]);
    for (let filled = repeated.length; filled < bytes.length; filled *= 2) {
      bytes.copyWithin(2 + start.length + filled, 2 + start.length, 2 + start.length + filled);
    }
    assert.throws(() => read(bytes), { message }, `${repeated}`);
  }

  // A namespace that takes the attributes of a dictionary of 100,000 again and again.
  const keys = Array.from({ length: 100_000 }, (_, i) => [0x4a, i & 255, i >> 8 & 255, i >> 16, 0])
    .flatMap((key) => [...key, 0x4e]);
  const namespace = [...globalInstruction("argparse", "Namespace"), 0x29, 0x81];
  const again = new Array(100).fill([0x68, 0, 0x62]).flat();
  assert.throws(
    () =>
      read(Uint8Array.from([0x80, 2, 0x7d, 0x71, 0, 0x28, ...keys, 0x75, ...namespace, ...again])),
    /more than 2097152 instructions/,
  );

  const itself = read(raw(0x5d, 0x71, 0, 0x68, 0, 0x61, 0x2e)) as PickleValue[];
  assert.equal(itself[0], itself);
});

test("unpickle() calls what it is given and reports its refusal with the position", () => {
  const globals = [
    new PickleGlobal("m.first", (args) => args[0]),
    new PickleGlobal("m.fail", () => {
      throw new RangeError("a size is wrong");
    }),
  ];
  const call = (name: string) =>
    unpickle(raw(...globalInstruction("m", name), 0x4b, 9, 0x85, 0x52, 0x2e), {
      source: "s",
      globals,
    });
  assert.equal(call("first"), 9);
  assert.throws(() => call("fail"), /pickle of s as a size is wrong, at byte 13/);
});
