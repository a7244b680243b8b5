/**
 * Vectors in 8 bits: a scale s and integers q from -127 to 127, x = s q. The scale of a vector of largest size m is m / 127, rounded up to
 * 16 significant bits, so that every s q is a float32 number without rounding, and quantising it again gives the same s and q. A scale
 * below 2^-120 is 0, and so is its vector: a GPU may take the smallest numbers for 0.
 */

const leastScale = 2 ** -120;

const word = new Float32Array(1), bits = new Uint32Array(word.buffer);

/** The scale of vectors whose largest size is `largest`. */
function scaleOf(largest: number): number {
  word[0] = largest / 127;
  bits[0] = bits[0] + 0xff & ~0xff;
  return word[0] < leastScale ? 0 : word[0];
}

/**
 * Writes the codes of the vector source[from..from+size-1] to codes[to..].
 *
 * @returns Its scale.
 */
export function quantize(
  source: ArrayLike<number>,
  { from, size }: { from: number; size: number },
  codes: Int8Array,
  to: number,
): number {
  let largest = 0;
  for (let d = 0; d < size; d++) largest = Math.max(largest, Math.abs(source[from + d]));
  const scale = scaleOf(largest);
  for (let d = 0; d < size; d++) {
    codes[to + d] = scale === 0 ? 0 : Math.floor(source[from + d] / scale + 0.5);
  }
  return scale;
}

/** Codes and scales of vectors of `size` numbers, one after the other. */
export function quantizeAll(
  vectors: Float32Array,
  size: number,
): { codes: Int8Array; scales: Float32Array } {
  const codes = new Int8Array(vectors.length), scales = new Float32Array(vectors.length / size);
  scales.forEach((_, i) =>
    scales[i] = quantize(vectors, { from: i * size, size }, codes, i * size)
  );
  return { codes, scales };
}

/** The vectors of codes and scales. */
export function dequantizeAll(codes: ArrayLike<number>, scales: Float32Array): Float32Array {
  const size = codes.length / scales.length;
  return Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / size)]);
}
