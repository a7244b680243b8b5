/** CRC-32C (Castagnoli, RFC 3720), the checksum of TFRecord files; `node:zlib` has only the other CRC-32. */

/** The polynomial 0x1edc6f41 with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/** Remainder of the division for each byte. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder >>> 1 ^ (remainder & 1) * POLYNOMIAL;
  return remainder;
});

/** The checksum of bytes, from 0 to 2**32 - 1. */
export function crc32c(bytes: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const byte of bytes) remainder = remainder >>> 8 ^ table[(remainder ^ byte) & 0xff];
  return ~remainder >>> 0;
}
