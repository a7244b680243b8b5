/**
 * What Deno may not be allowed to ask the system: undefined where it is not, as a prompt would stop a run.
 */

/** Name of this machine; undefined where it may not be asked for. */
export function hostName(): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  return state === "granted" ? Deno.hostname() : undefined;
}
