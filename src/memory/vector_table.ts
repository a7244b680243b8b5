import type { HostArray } from "../runtime/device.ts";
import type { StorageType } from "./stored_range.ts";
import { quantize } from "./eight_bits.ts";

/** Sizes of a table: rows of chunks, each of some vectors of D numbers. */
export interface VectorTableShape {
  readonly rows: number;
  readonly vectors: number;
  readonly size: number;
}

/** Keys or values on the host, in the type of a memory. Vectors are counted over all rows. */
export interface VectorTable {
  /** The numbers [rows, vectors * size], of float16 as their bits; of int8 the integers. */
  readonly numbers: HostArray;
  /** Scales of the vectors [rows, vectors], of int8. */
  readonly scales?: Float32Array<ArrayBuffer>;
  /** Stores the vector that begins at source[from]. */
  store(vector: number, source: ArrayLike<number>, from: number): void;
  /** Puts zeros in `count` vectors. */
  clear(first: number, count: number): void;
  /** Copies `count` vectors to out[at..]. */
  read(first: number, count: number, out: Float32Array, at: number): void;
}

/** Bytes of a table of this type. */
export function vectorTableBytes(
  type: StorageType,
  { rows, vectors, size }: VectorTableShape,
): number {
  const bytes = { float32: 4 * size, float16: 2 * size, int8: size + 4 }[type];
  return rows * vectors * bytes;
}

/**
 * Makes a table of zeros.
 *
 * @param zeros Makes its arrays: so many bytes of zeros.
 */
export function createVectorTable(
  type: StorageType,
  shape: VectorTableShape,
  zeros: (bytes: number) => ArrayBuffer,
): VectorTable {
  const { rows, vectors, size } = shape, count = rows * vectors;
  if (type === "int8") {
    const codes = new Int8Array(zeros(count * size)), scales = new Float32Array(zeros(4 * count));
    return {
      numbers: codes,
      scales,
      store(vector, source, from) {
        scales[vector] = quantize(source, { from, size }, codes, vector * size);
      },
      clear(first, count) {
        codes.fill(0, first * size, (first + count) * size);
        scales.fill(0, first, first + count);
      },
      read(first, count, out, at) {
        for (let vector = first; vector < first + count; vector++) {
          const scale = scales[vector];
          for (let d = 0; d < size; d++) out[at++] = codes[vector * size + d] * scale;
        }
      },
    };
  }
  const numbers = type === "float16"
    ? new Float16Array(zeros(2 * count * size))
    : new Float32Array(zeros(4 * count * size));
  return {
    numbers: numbers instanceof Float32Array
      ? numbers
      : new Uint16Array(numbers.buffer as ArrayBuffer),
    store(vector, source, from) {
      const to = vector * size;
      for (let d = 0; d < size; d++) numbers[to + d] = source[from + d];
    },
    clear: (first, count) => void numbers.fill(0, first * size, (first + count) * size),
    read: (first, count, out, at) =>
      out.set(numbers.subarray(first * size, (first + count) * size), at),
  };
}
