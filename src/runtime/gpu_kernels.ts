/** Compiled kernels of each GPU, by their keys: compiling takes long, and a process has one device of a GPU. */
const compiled = new WeakMap<GPUDevice, Map<string, unknown>>();

/**
 * Compiles kernels for a GPU, or returns those that were compiled before.
 *
 * @param key The same for the same kernels: file, entry points and constants.
 */
export function compileOnce<T>(gpu: GPUDevice, key: unknown, compile: () => T): T {
  const known = compiled.get(gpu) ?? new Map<string, unknown>();
  compiled.set(gpu, known);
  const name = JSON.stringify(key);
  if (known.has(name)) return known.get(name) as T;
  const kernels = compile();
  known.set(name, kernels);
  if (kernels instanceof Promise) kernels.catch(() => known.delete(name));
  return kernels;
}
