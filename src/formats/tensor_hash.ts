/** Fingerprints of weights: proof that a frozen backbone stayed as it was, and which backbone a SideNet belongs to. */
import { createHash } from "../system.ts";
import { ByteFile } from "./byte_file.ts";
import type { TensorMap } from "../tensor.ts";

/** Bytes of a file hashed at once. */
const BLOCK_BYTES = 2 ** 24;

/** SHA-256 (hexadecimal) over names, shapes and bits of tensors; the order of the map does not matter. */
export function hashTensors(tensors: Readonly<TensorMap>): string {
  const hash = createHash("sha256");
  for (const name of [...tensors.keys()].sort()) {
    const { shape, data } = tensors.get(name)!;
    // JSON and the line end keep names and shapes apart from each other and from the values.
    hash.update(JSON.stringify([name, shape]) + "\n");
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

const frozenHashes = new WeakMap<Readonly<TensorMap>, string>();

/**
 * The hash of weights that nobody changes from now on, computed once for each map: of a frozen backbone, or of the
 * result of a training. Trainings do not change the maps that they begin with and return new ones. To check that weights
 * have not changed, compare this with {@linkcode hashTensors}.
 */
export function hashFrozen(tensors: Readonly<TensorMap>): string {
  const hash = frozenHashes.get(tensors) ?? hashTensors(tensors);
  frozenHashes.set(tensors, hash);
  return hash;
}

/** SHA-256 (hexadecimal) of a file, read in blocks. */
export async function hashFile(path: string): Promise<string> {
  using file = await ByteFile.open(path);
  const hash = createHash("sha256");
  for (let at = 0; at < file.sizeBytes; at += BLOCK_BYTES) {
    hash.update(await file.read(at, Math.min(BLOCK_BYTES, file.sizeBytes - at)));
  }
  return hash.digest("hex");
}
