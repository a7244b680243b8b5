import { totalmem } from "node:os";

/** Bytes of memory of this machine; undefined where the program may not know them. */
export function machineMemoryBytes(): number | undefined {
  // Programs that do not grant it are not asked for it.
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "systemMemoryInfo" });
  return state === "granted" ? totalmem() : undefined;
}

/** A size in words: `238.4 GiB`. */
export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
