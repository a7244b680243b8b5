/**
 * What Deno may not be allowed to ask the system: undefined where it is not, as a prompt would stop a run.
 */

/** Value of an environment variable; undefined where it is unset, empty, or may not be read. */
export function environmentVariable(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) || undefined : undefined;
}

/** Name of this machine; undefined where it may not be asked for. */
export function hostName(): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  return state === "granted" ? Deno.hostname() : undefined;
}
