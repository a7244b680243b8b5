/**
 * Vectors as a GPU keeps them, in words of 32 bits each: of float32 the numbers; of float16 two a word; of int8 the scale, then four integers
 * a word (`eight_bits.ts`). The last word is filled up with zeros.
 */
import { quantize } from "./eight_bits.ts";
import type { StorageType } from "./stored_range.ts";

/** Words of a vector of `size` numbers. */
export function wordsOfVector(type: StorageType, size: number): number {
  return { float32: size, float16: Math.ceil(size / 2), int8: 1 + Math.ceil(size / 4) }[type];
}

/** The words of vectors of `size` float32 numbers, one after the other. */
export function packVectors(
  type: StorageType,
  vectors: Float32Array,
  size: number,
): Uint32Array<ArrayBuffer> {
  const W = wordsOfVector(type, size), count = vectors.length / size;
  const words = new Uint32Array(count * W), { buffer } = words;
  if (type === "float32") {
    new Float32Array(buffer).set(vectors);
  } else if (type === "float16") {
    const halves = new Float16Array(buffer);
    for (let i = 0; i < count; i++) {
      halves.set(vectors.subarray(i * size, (i + 1) * size), i * 2 * W);
    }
  } else {
    const scales = new Float32Array(buffer), codes = new Int8Array(buffer);
    for (let i = 0; i < count; i++) {
      scales[i * W] = quantize(vectors, { from: i * size, size }, codes, 4 * (i * W + 1));
    }
  }
  return words;
}

/** Copies the numbers of the vectors `first` to `first + count - 1` of so many to out[at..]. */
export function unpackVectors(
  type: StorageType,
  words: Uint32Array<ArrayBuffer>,
  { first, count, size }: { first: number; count: number; size: number },
  out: Float32Array,
  at: number,
): void {
  const W = wordsOfVector(type, size), { buffer } = words;
  if (type === "int8") {
    const scales = new Float32Array(buffer), codes = new Int8Array(buffer);
    for (let i = first; i < first + count; i++) {
      for (let d = 0; d < size; d++) out[at++] = codes[4 * (i * W + 1) + d] * scales[i * W];
    }
    return;
  }
  const numbers = type === "float32" ? new Float32Array(buffer) : new Float16Array(buffer);
  const width = numbers.length / words.length * W;
  for (let i = first; i < first + count; i++, at += size) {
    out.set(numbers.subarray(i * width, i * width + size), at);
  }
}
