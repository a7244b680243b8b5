/**
 * `deno task watch`: a page of this machine that shows runs and the curves of their trainings while they go on.
 */
import { type Command, type Output, UsageError } from "../command_line.ts";
import { failureText, InputError } from "../errors.ts";
import { readingError } from "../files.ts";
import { runPage, runsPage } from "../results/watch_page.ts";
import { summaries } from "./summaries.ts";

/** The only address that is listened on: other machines cannot reach it. */
const hostname = "127.0.0.1";

/** The port where none is given. */
const defaultPort = 8086;

/** `watch [RESULTS]`: serves pages about the runs of a folder until it is stopped. */
export function watchCommand(output: Output): Command {
  return {
    ...summaries.watch,
    operandsArePaths: true,
    flags: [{
      name: "port",
      value: "N",
      help: `port of this machine (default ${defaultPort}; 0: any that is free)`,
    }],
    execute: async ({ operands, flags }) => {
      const [results = "results", ...others] = operands;
      if (others.length > 0) {
        throw new UsageError(
          `Cannot watch ${operands.length} folders: allowed is one folder of results`,
        );
      }
      const port = portOf(flags.get("port")?.at(-1));
      try {
        await Array.fromAsync(Deno.readDir(results));
      } catch (cause) {
        throw readingError(results, cause);
      }
      const server = listen(port, (request) => answer(request, results), (address) => {
        output.print(`http://${hostname}:${address.port}/ shows ${results}; Ctrl-C ends it`);
      });
      await server.finished;
      return 0;
    },
  };
}

/**
 * Reads a port.
 *
 * @throws {UsageError} Where it is none.
 */
function portOf(text: string | undefined): number {
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
 * @throws {InputError} Where another program has the port, or it may not be used.
 */
function listen(
  port: number,
  handler: (request: Request) => Promise<Response>,
  onListen: (address: Deno.NetAddr) => void,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ hostname, port, onListen }, handler);
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

/** Headers of all answers: nothing is loaded from elsewhere, no script runs, and no other page may embed it or keep it. */
const headers = {
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/** Answers a request: the list of runs, or with `?run=NAME` the curves of one. */
export async function answer(request: Request, results: string): Promise<Response> {
  const url = new URL(request.url);
  const refuse = (status: number, text: string) =>
    new Response(`${text}\n`, {
      status,
      headers: { ...headers, "content-type": "text/plain; charset=utf-8" },
    });
  // A name that somebody else lets point to this machine must not make their pages read these.
  if (![hostname, "localhost"].includes(url.hostname)) return refuse(403, "Unknown host");
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "Only GET");
  if (url.pathname !== "/") return refuse(404, "There is no such page");
  try {
    const name = url.searchParams.get("run");
    const html = name === null ? await runsPage(results) : await runPage(results, name);
    if (html === undefined) return refuse(404, "There is no such run");
    return new Response(html, {
      headers: { ...headers, "content-type": "text/html; charset=utf-8" },
    });
  } catch (error) {
    return refuse(500, failureText(error));
  }
}
