/**
 * Arrays whose bytes lie in a file: mapped into the address space, so that the system keeps in RAM what is used and writes the rest to
 * the disk. By the C library of Linux, as Deno has no call for it.
 */

const libc = {
  mkstemp: { parameters: ["buffer"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  posix_fallocate: { parameters: ["i32", "i64", "i64"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
} as const;

let library: Deno.DynamicLibrary<typeof libc> | undefined;

/** PROT_READ | PROT_WRITE, MAP_SHARED, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, and MAP_FAILED. */
const readWrite = 3, shared = 0x1, nothing = 0x2 | 0x20 | 0x10 | 0x4000, failed = 2n ** 64n - 1n;

/** Reasons by the errors of posix_fallocate(3). */
const reasons: Readonly<Record<number, string>> = {
  27: "a file may not be so large there", // EFBIG
  28: "the disk has not so much room", // ENOSPC
};

/** Gives back the addresses of buffers that nothing refers to any longer. */
const collected = new FinalizationRegistry<{ address: Deno.PointerObject; bytes: number }>(
  ({ address, bytes }) => void library?.symbols.munmap(address, BigInt(bytes)),
);

/** Bytes in a file without a name. */
export interface ScratchFile extends Disposable {
  /** Zeros at first. After disposal it is zeros again, in no file. */
  readonly buffer: ArrayBuffer;
}

/**
 * Makes a file without a name, which disappears with the process at the latest, and maps it.
 *
 * @param folder Where its bytes lie; of a disk, as a folder in RAM would save none.
 * @throws Error, whose message is a reason in words, where the system has no such call, the folder cannot be written, or the disk
 * is full. The room is taken at once, so that nothing fails later.
 */
export function mapScratchFile(bytes: number, folder: string): ScratchFile {
  if (Deno.build.os !== "linux") throw new Error("only Linux is supported");
  library ??= Deno.dlopen("libc.so.6", libc);
  const { mkstemp, unlink, posix_fallocate: allocate, close, mmap } = library.symbols;
  const path = new TextEncoder().encode(`${folder}/longmem-XXXXXX\0`);
  const file = mkstemp(path);
  if (file < 0) throw new Error("no file can be made there");
  let address: Deno.PointerValue;
  try {
    unlink(path);
    const error = allocate(file, 0n, BigInt(bytes));
    if (error !== 0) throw new Error(reasons[error] ?? `the system refuses it with error ${error}`);
    address = mmap(null, BigInt(bytes), readWrite, shared, file, 0n);
  } finally {
    close(file);
  }
  if (address === null || Deno.UnsafePointer.value(address) === failed) {
    throw new Error("the system does not map it");
  }
  const mapped = address, buffer = Deno.UnsafePointerView.getArrayBuffer(mapped, bytes);
  collected.register(buffer, { address: mapped, bytes });
  return {
    buffer,
    // The addresses stay valid, as views of the buffer may be left.
    [Symbol.dispose]: () => void mmap(mapped, BigInt(bytes), readWrite, nothing, -1, 0n),
  };
}
