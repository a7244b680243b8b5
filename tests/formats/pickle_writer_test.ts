import {
  PickleNamespace,
  PickleTuple,
  type PickleValue,
  unpickle,
} from "../../src/formats/pickle.ts";
import { pickle, PickleOrderedDict, type WritablePickle } from "../../src/formats/pickle_writer.ts";
import { assert, test } from "../testing.ts";

const read = (value: WritablePickle) => unpickle(pickle(value), { source: "a pickle" });

test("pickle() writes plain data that unpickle() reads", () => {
  const numbers = [0, 1, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 52, -1, -(2 ** 31)];
  const far = [-(2 ** 31) - 1, -(2 ** 52)];
  for (const number of [...numbers, ...far]) assert.equal(Number(read(number)), number);
  for (const value of [null, true, false, "", "a\n\u00e4\u{1f600}", "x".repeat(100_000)]) {
    assert.equal(read(value), value);
  }
  const map = new Map<WritablePickle, WritablePickle>([["a", [1, [], "b"]], ["c", new Map()]]);
  assert.deepEqual(read(map), map);
  assert.deepEqual(read(new PickleOrderedDict(map)), map);
  for (const items of [[], [1], [1, "b", null, new PickleTuple([2])]] as PickleValue[][]) {
    assert.deepEqual(read(new PickleTuple(items) as WritablePickle), new PickleTuple(items));
  }
  const namespace = new PickleNamespace();
  namespace.attributes.set("layers", 4);
  assert.deepEqual(read([namespace, namespace] as WritablePickle), [namespace, namespace]);
});

test("pickle() writes whole numbers as integers, and refuses those that are not exact", () => {
  assert.deepEqual([...pickle(1)].slice(2, 4), [0x4b, 1]);
  for (const value of [0.5, 2 ** 53, NaN, Infinity]) {
    assert.throws(() => pickle(value), /^RangeError: Cannot write .* as an integer/);
  }
});
