/** SHA-256 of what is in memory already. */
import { createHash } from "./system.ts";

/** SHA-256 of bytes, or of a text's UTF-8, in hexadecimal digits. */
export function sha256Of(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Bytes in hexadecimal digits. */
export function hexOf(bytes: ArrayLike<number>): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
