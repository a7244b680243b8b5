/**
 * Writes checkpoints as `torch.save` does: a zip archive of a pickle with the structure and an entry for each tensor's numbers.
 */
import { InputRangeError } from "../errors.ts";
import { writeAtomically } from "../files.ts";
import type { HostTensor } from "../tensor.ts";
import { PickleTuple, type PickleValue } from "./pickle.ts";
import {
  pickle,
  PickleCall,
  PickleName,
  PickleOrderedDict,
  PicklePersistent,
  type WritablePickle,
} from "./pickle_writer.ts";
import { type NewZipEntry, zipParts } from "./zip_writer.ts";

/** Most bytes of a tensor: its entry has its size in 32 bits. */
const mostTensorBytes = 2 ** 32 - 2;

/**
 * Writes a checkpoint, whole or not at all.
 *
 * @param path The file.
 * @param structure Makes the structure from a function that refers to a tensor of 32-bit floats; one that is given again refers
 * to the same numbers.
 * @throws {RangeError} Where a tensor has 4 GiB or more.
 * @throws {Error} Where it cannot be written, with the reason.
 */
export async function writeTorchFile(
  path: string,
  structure: (tensor: (tensor: HostTensor) => WritablePickle) => WritablePickle,
): Promise<void> {
  const keys = new Map<HostTensor["data"], number>();
  const root = structure((tensor) => rebuilt(tensor, keys, path));
  const text = (content: string) => new TextEncoder().encode(content);
  const entries: NewZipEntry[] = [
    { name: "data.pkl", bytes: pickle(root) },
    { name: "byteorder", bytes: text("little") },
    ...Array.from(keys, ([{ buffer, byteOffset, byteLength }, key]) => ({
      name: `data/${key}`,
      bytes: new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength),
    })),
    { name: "version", bytes: text("3\n") },
  ];
  await writeAtomically(
    path,
    zipParts(entries.map(({ name, bytes }) => ({ name: `archive/${name}`, bytes }))),
  );
}

/** A contiguous tensor, as torch rebuilds it from its storage. */
function rebuilt(
  { shape, data }: HostTensor,
  keys: Map<HostTensor["data"], number>,
  path: string,
): PickleCall {
  if (data.byteLength > mostTensorBytes) {
    throw new InputRangeError(
      `Cannot write "${path}" as a tensor of shape [${shape}] has ${data.byteLength} bytes: allowed are ${mostTensorBytes}`,
    );
  }
  const key = keys.get(data) ?? keys.size;
  keys.set(data, key);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const tuple = (...items: unknown[]) => new PickleTuple(items as PickleValue[]);
  const storage = new PicklePersistent(
    tuple("storage", new PickleName("torch.FloatStorage"), `${key}`, "cpu", data.length),
  );
  return new PickleCall("torch._utils._rebuild_tensor_v2", [
    storage,
    0,
    tuple(...shape),
    tuple(...strides),
    false, // requires_grad
    new PickleOrderedDict([]), // hooks
  ]);
}
