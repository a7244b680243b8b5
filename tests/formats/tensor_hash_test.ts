import { hashFile, hashTensors } from "../../src/formats/tensor_hash.ts";
import type { HostTensor, TensorMap } from "../../src/tensor.ts";
import { assert, test } from "../testing.ts";
import { withFolder } from "../temporary_folder.ts";

const tensor = (shape: number[], ...values: number[]): HostTensor => {
  return { shape, data: Float32Array.from(values) };
};
const base: TensorMap = new Map([["a", tensor([2, 2], 1, 2, 3, 4)], ["b", tensor([1], 0)]]);

test("hashTensors() does not depend on order or on the buffer around the values", () => {
  const view = new Float32Array([9, 1, 2, 3, 4, 9]).subarray(1, 5);
  const other: TensorMap = new Map([["b", tensor([1], 0)], ["a", { shape: [2, 2], data: view }]]);
  assert.equal(hashTensors(other), hashTensors(base));
  assert.match(hashTensors(base), /^[0-9a-f]{64}$/);
});

test("hashTensors() changes with every bit, shape and name", () => {
  const others: TensorMap[] = [
    new Map([["a", tensor([2, 2], 1, 2, 3, 4)], ["b", tensor([1], -0)]]),
    new Map([["a", tensor([2, 2], 1, 2, 3, 4 + 2 ** -21)], ["b", tensor([1], 0)]]),
    new Map([["a", tensor([4], 1, 2, 3, 4)], ["b", tensor([1], 0)]]),
    new Map([["a", tensor([1, 4], 1, 2, 3, 4)], ["b", tensor([1], 0)]]),
    new Map([["a", tensor([2, 2], 1, 2, 3, 4)], ["c", tensor([1], 0)]]),
    new Map([["a", tensor([2, 2], 1, 2, 3, 4)]]),
    new Map(),
  ];
  const hashes = [base, ...others].map((map) => hashTensors(map));
  assert.equal(new Set(hashes).size, others.length + 1);
});

test("hashFile() is the SHA-256 of the whole file, read in blocks", () =>
  withFolder(async (folder) => {
    const path = `${folder}/file`;
    await Deno.writeTextFile(path, "abc");
    // The example of FIPS 180-4.
    const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert.equal(await hashFile(path), abc);
    // More than one block.
    const long = new Uint8Array(2 ** 24 + 5).map((_, i) => i);
    await Deno.writeFile(path, long);
    const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", long));
    assert.equal(await hashFile(path), expected.toHex());
  }));
