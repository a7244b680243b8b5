/**
 * Element formats of weight files, little-endian, brought to the two that the rest of the code uses:
 * float32 and int32.
 */
import { InputRangeError } from "../errors.ts";

/** Floating-point formats that are read. */
export type FloatFormat = "float64" | "float32" | "float16" | "bfloat16";

/** Integer formats that are read. */
export type IntegerFormat = "int64" | "int32" | "uint8";

/** The values as float32; a new buffer only where the format differs. `bytes` must own its buffer from 0 on. */
export function decodeFloats(
  bytes: Uint8Array<ArrayBuffer>,
  format: FloatFormat,
): Float32Array<ArrayBuffer> {
  switch (format) {
    case "float32":
      return new Float32Array(bytes.buffer);
    case "float64":
      return new Float32Array(new Float64Array(bytes.buffer));
    case "float16":
      return new Float32Array(new Float16Array(bytes.buffer));
    case "bfloat16": {
      // bfloat16 is the upper half of a float32.
      const halves = new Uint16Array(bytes.buffer);
      const words = new Uint32Array(halves.length);
      for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16;
      return new Float32Array(words.buffer);
    }
    default:
      return format satisfies never;
  }
}

/** The values as int32; a 64-bit value that does not fit is a `RangeError` naming `what`. */
export function decodeIntegers(
  bytes: Uint8Array<ArrayBuffer>,
  format: IntegerFormat,
  what: string,
): Int32Array<ArrayBuffer> {
  switch (format) {
    case "int32":
      return new Int32Array(bytes.buffer);
    case "uint8":
      return new Int32Array(bytes);
    case "int64": {
      const wide = new BigInt64Array(bytes.buffer);
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
    default:
      return format satisfies never;
  }
}
