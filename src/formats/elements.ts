/**
 * Element formats of weight files, little-endian, brought to the two that the rest of the code uses:
 * float32 and int32.
 */
import { InputRangeError } from "../errors.ts";

/** Bytes of one element of every format that is read. */
export const elementBytes = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
} as const;

export type ElementFormat = keyof typeof elementBytes;

/**
 * The values as float32, where the format is of floating-point numbers, or as int32; a new buffer only where the format
 * differs.
 *
 * @param bytes Must own its buffer from 0 on.
 * @param what Names the values in the error.
 * @throws RangeError for a 64-bit integer that does not fit.
 */
export function decodeElements(
  bytes: Uint8Array<ArrayBuffer>,
  format: ElementFormat,
  what: string,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  const { buffer } = bytes;
  switch (format) {
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float32Array(new Float64Array(buffer));
    case "float16":
      return new Float32Array(new Float16Array(buffer));
    case "bfloat16": {
      // bfloat16 is the upper half of a float32.
      const halves = new Uint16Array(buffer);
      const words = new Uint32Array(halves.length);
      for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16;
      return new Float32Array(words.buffer);
    }
    case "int32":
      return new Int32Array(buffer);
    case "int16":
      return new Int32Array(new Int16Array(buffer));
    case "int8":
      return new Int32Array(new Int8Array(buffer));
    case "uint8":
      return new Int32Array(bytes);
    case "int64":
      return narrow(new BigInt64Array(buffer), what);
    default:
      return format satisfies never;
  }
}

function narrow(wide: BigInt64Array, what: string): Int32Array<ArrayBuffer> {
  const narrow = new Int32Array(wide.length);
  for (let i = 0; i < wide.length; i++) {
    narrow[i] = Number(wide[i]);
    if (BigInt(narrow[i]) !== wide[i]) {
      throw new InputRangeError(
        `Cannot read ${what} as int32 as value ${i} does not fit: it is ${wide[i]}`,
      );
    }
  }
  return narrow;
}
