/**
 * The packages of the engines, loaded by the device that needs them. They are not among the imports of deno.json, as
 * `deno task` downloads those before it runs any command, and these are 430 MB; nor are their names written where they are
 * imported, as Deno also downloads packages whose names it finds in the source without running it.
 */
// deno-lint-ignore-file no-import-prefix -- see above

/** Specifiers of the packages; the engine of `cpu`, of `wasm` and of `webgpu`. */
export const enginePackages = {
  cpu: "npm:onnxruntime-node@1.30.0",
  wasm: "npm:onnxruntime-web@1.30.0/wasm",
  webgpu: "npm:onnxruntime-web@1.30.0/webgpu",
} as const;

export interface EngineModules {
  /** Native code. */
  readonly cpu: typeof import("npm:onnxruntime-node@1.30.0");
  readonly wasm: typeof import("npm:onnxruntime-web@1.30.0/wasm");
  /** WebAssembly that calls the GPU. */
  readonly webgpu: typeof import("npm:onnxruntime-web@1.30.0/webgpu");
}

/** Loads hnswlib-wasm, the library of the approximate index, likewise. */
export function importHnswlib(): Promise<typeof import("hnswlib-wasm")> {
  const specifier: string = "hnswlib-wasm";
  return import(specifier);
}

/** Loads USearch, the native library of the other approximate index, likewise. */
export function importUsearch(): Promise<typeof import("npm:usearch@2.25.3")> {
  const specifier: string = "npm:usearch@2.25.3";
  return import(specifier);
}

/** Loads the package of an engine, downloading it where it is not in Deno's cache. */
export function importEngine<K extends keyof EngineModules>(kind: K): Promise<EngineModules[K]> {
  const specifier: string = enginePackages[kind];
  return import(specifier);
}
