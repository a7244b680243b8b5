/** Files of `torch.save` that hold a model's tensors by their names and nothing else, as `pytorch_model.bin`. */
import type { TensorFile } from "./tensor_file.ts";
import { namedTensors, openTorchFile, TorchTensor } from "./torch_file.ts";

/**
 * Opens such a file, and reads no tensor yet. Nothing in it is executed.
 *
 * @throws TypeError where it is of another kind, RangeError where sizes disagree; both name the file.
 */
export async function openTorchTensors(path: string): Promise<TensorFile> {
  const file = await openTorchFile(path);
  try {
    const entries = namedTensors(file.content, { path, what: "it" });
    return {
      path,
      entries,
      read: (name) => file.read(entries.get(name)!),
      async readRows(name, { start, count }) {
        const { storage, offset, shape: [, ...sizes], stride } = entries.get(name)!;
        const rows = [offset + start * stride[0], [count, ...sizes], stride] as const;
        const { data } = await file.read(new TorchTensor(storage, ...rows));
        return data as Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
      },
      [Symbol.dispose]: () => file[Symbol.dispose](),
    };
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}
