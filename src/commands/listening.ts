/** Servers of commands. */
import { type CommandArguments, type Flag, UsageError } from "../command_line.ts";
import { InputError } from "../errors.ts";

/** `--port`. */
export function portFlag(defaultPort: number): Flag {
  return {
    name: "port",
    value: "N",
    help: `port of this machine (default ${defaultPort}; 0: any that is free)`,
  };
}

/**
 * Reads a port.
 *
 * @throws {UsageError} Where it is none.
 */
export function portOf(flags: CommandArguments["flags"], defaultPort: number): number {
  const text = flags.get("port")?.at(-1);
  if (text === undefined) return defaultPort;
  const port = Number(text);
  if (/^\d+$/.test(text) && port < 2 ** 16) return port;
  throw new UsageError(
    `Cannot read --port: current value is "${text}", allowed are integers from 0 to 65535`,
  );
}

/**
 * Begins to serve.
 *
 * @param onListen Called with the address of the server.
 * @throws {InputError} Where another program has the port, or it may not be used.
 */
export function listen(
  { hostname, port }: { hostname: string; port: number },
  handler: (request: Request) => Promise<Response>,
  onListen: (url: string) => void,
): Deno.HttpServer<Deno.NetAddr> {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  try {
    return Deno.serve({
      hostname,
      port,
      onListen: (address) => onListen(`http://${host}:${address.port}/`),
    }, handler);
  } catch (cause) {
    const { AddrInUse, PermissionDenied } = Deno.errors;
    if (!(cause instanceof AddrInUse || cause instanceof PermissionDenied)) throw cause;
    const reason = cause instanceof AddrInUse ? "another program uses it" : "permission is denied";
    throw new InputError(
      `Cannot listen on port ${port} as ${reason}: --port N takes another, --port 0 any that is free`,
      { cause },
    );
  }
}
