/** Which keys and values a memory can hold, and the error about others. */
import { InputRangeError } from "../errors.ts";

/** Type in which a memory keeps keys and values. */
export type StorageType = "float32" | "float16" | "int8";

/** Every such type. */
export const storageTypes = ["float32", "float16", "int8"] as const satisfies StorageType[];

/** Numbers from here on round to infinity in float16, whose largest is 65,504. */
const float16Limit = 65_520;

/** Sizes from this one on are not stored, as infinity would take their place. */
export function storedLimit(type: StorageType): number {
  return type === "float16" ? float16Limit : Infinity;
}

/** A number that a storage cannot hold. */
export interface OutOfRange {
  /** Which of the tensors has it. */
  readonly what: "key" | "value" | "mean key";
  /** Largest size in the tensor; infinite or NaN where one of its numbers is. */
  readonly largest: number;
  /** The first number that cannot be stored: its index in [N, H*D], tokens in order. */
  readonly element: number;
}

/** Finds the first number of size `limit` or more, and the largest size; undefined where all are below. */
export function findOutOfRange(
  values: ArrayLike<number>,
  limit: number,
): Omit<OutOfRange, "what"> | undefined {
  for (let i = 0; i < values.length; i++) {
    if (Math.abs(values[i]) < limit) continue;
    let largest = 0;
    for (let j = i; j < values.length && !Number.isNaN(largest); j++) {
      largest = Math.max(largest, Math.abs(values[j]));
    }
    return { largest, element: i };
  }
  return undefined;
}

/**
 * The error about a key or value that a memory cannot hold.
 *
 * @param options `block`: block of the backbone that it comes from; `heads` H and `headDim` D as in {@linkcode OutOfRange}.
 */
export function rangeError(
  { what, largest, element }: OutOfRange,
  { block, heads, headDim, type }: {
    block: number | undefined;
    heads: number;
    headDim: number;
    type: StorageType;
  },
): InputRangeError {
  const isFinite = Number.isFinite(largest);
  const within = element % (heads * headDim);
  const place = (block === undefined ? "" : `block ${block}, `) +
    `head ${Math.floor(within / headDim)}, dimension ${within % headDim}, ` +
    `token ${Math.floor(element / (heads * headDim))} of the batch`;
  const reason = isFinite && type === "float16"
    ? `float16 does not hold them: the largest is ${
      formatSize(largest)
    } in size, allowed are sizes ` +
      `up to 65504; the first such ${what} is at ${place}; memory.storage "float32" would hold them`
    : `they must be finite: current value is ${largest}; the first such ${what} is at ${place}; ` +
      `the weights, or what they compute here, leave float32's range`;
  return new InputRangeError(`Cannot cache ${what}s in the memory as ${reason}`);
}

/** Six digits suffice to compare with a limit. */
function formatSize(size: number): string {
  return `${Number(size.toPrecision(6))}`;
}
