import {
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
  test(`unpickle() refuses ${module}.${name} by name and position`, () => {
    const call = new RawPickle([
      ...globalInstruction(module, name),
      ...textInstruction("true"),
      0x85,
      0x52,
    ]);
    assert.throws(() => read(pickleBytes({ model: call })), {
      name: "TypeError",
      // Before the global: protocol (2), dictionary (1), mark (1) and the key (5 + 5).
      message:
        `Cannot read the pickle of "some.pt" as global "${module}.${name}" is not allowed: ` +
        `allowed are collections.OrderedDict, argparse.Namespace, at byte 14`,
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
    name: "STACK_GLOBAL, which takes the name from the stack",
    bytes: raw(...textInstruction("os"), ...textInstruction("system"), 0x93, 0x2e),
    message: /instruction 0x93 .* at byte 20/,
  },
  { name: "an extension code", bytes: raw(0x82, 1, 0x2e), message: /instruction 0x82/ },
  {
    name: "another protocol",
    bytes: new Uint8Array([0x80, 4, 0x4e, 0x2e]),
    message: /protocol 4: allowed is 2, at byte 0/,
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
    message: /calls argparse.Namespace, which is no allowed function/,
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
    message: /makes an object of collections.OrderedDict: allowed is argparse.Namespace/,
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
