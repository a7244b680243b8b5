/** The rate of a BLAS on this machine: what its processor can do, whatever engine runs the models. */

/** Places of a BLAS with the C interface, by the names that dynamic linkers know. */
const libraries: Partial<Record<typeof Deno.build.os, readonly string[]>> = {
  linux: ["libopenblas.so.0", "libmkl_rt.so.2", "libblis.so.4"],
  darwin: ["/System/Library/Frameworks/Accelerate.framework/Accelerate", "libopenblas.dylib"],
  windows: ["libopenblas.dll"],
};

const symbols = {
  cblas_sgemm: {
    parameters: [
      ...["i32", "i32", "i32", "i32", "i32", "i32"],
      ...["f32", "buffer", "i32", "buffer", "i32", "f32", "buffer", "i32"],
    ],
    result: "void",
  },
} as const satisfies Deno.ForeignLibraryInterface;

const rowMajor = 101, asItIs = 111;

/**
 * Measures the product of two matrices of n x n float32 numbers, the fastest of several.
 *
 * @param threads Threads of the BLAS, which it reads when it is loaded.
 * @returns GFLOP/s; undefined where no BLAS is installed.
 */
export function measureBlas(n: number, threads: number): number | undefined {
  for (const name of ["OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"]) {
    Deno.env.set(name, `${threads}`);
  }
  for (const path of libraries[Deno.build.os] ?? []) {
    let library;
    try {
      library = Deno.dlopen(path, symbols);
    } catch {
      continue;
    }
    const a = new Float32Array(n * n).fill(0.5), b = a.slice(), c = new Float32Array(n * n);
    let best = Infinity;
    for (let i = 0; i < 5; i++) {
      const start = performance.now();
      library.symbols.cblas_sgemm(
        ...[rowMajor, asItIs, asItIs, n, n, n] as const,
        ...[1, a, n, b, n, 0, c, n] as const,
      );
      if (i > 0) best = Math.min(best, performance.now() - start);
    }
    library.close();
    if (c[0] !== n / 4) throw new Error(`${path} gives ${c[0]}, and not ${n / 4}`);
    return 2 * n ** 3 / best / 1e6;
  }
  return undefined;
}
