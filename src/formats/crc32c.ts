/** Checksums of 32 bits by the remainder of a division of polynomials over bits. */

/**
 * A checksum.
 *
 * @param polynomial Its polynomial with the bits reversed.
 * @returns A function from bytes to 0 .. 2**32 - 1.
 */
export function checksumBy(polynomial: number): (bytes: Uint8Array) => number {
  /** Remainder of the division for each byte. */
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) remainder = remainder >>> 1 ^ (remainder & 1) * polynomial;
    return remainder;
  });
  return (bytes) => {
    let remainder = 0xffffffff;
    for (const byte of bytes) remainder = remainder >>> 8 ^ table[(remainder ^ byte) & 0xff];
    return ~remainder >>> 0;
  };
}

/** CRC-32C (Castagnoli, RFC 3720), the checksum of TFRecord files; `node:zlib` has only the other CRC-32. */
export const crc32c: (bytes: Uint8Array) => number = checksumBy(0x82f63b78);
