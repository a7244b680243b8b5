/**
 * `deno task watch`: a page of this machine that shows runs and the curves of their trainings while they go on.
 */
import { type Command, type Output, UsageError } from "../command_line.ts";
import { failureText } from "../errors.ts";
import { readingError } from "../files.ts";
import { runPage, runsPage } from "../results/watch_page.ts";
import { findRuns } from "../results/read_runs.ts";
import { noteLinks } from "./run_states.ts";
import { listen, portFlag, portOf } from "./listening.ts";

/** The only address that is listened on: other machines cannot reach it. */
const hostname = "127.0.0.1";

const defaultPort = 8086;

/** `watch [RESULTS]`: serves pages about the runs of a folder until it is stopped. */
export function watchCommand(output: Output): Command {
  return {
    operandsArePaths: true,
    flags: [portFlag(defaultPort)],
    execute: async ({ operands, flags }) => {
      const [results = "results", ...others] = operands;
      if (others.length > 0) {
        throw new UsageError(
          `Cannot watch ${operands.length} folders: allowed is one folder of results`,
        );
      }
      const port = portOf(flags, defaultPort);
      try {
        await Array.fromAsync(Deno.readDir(results));
      } catch (cause) {
        throw readingError(results, cause);
      }
      noteLinks(await findRuns(results), output.note);
      const server = listen({ hostname, port }, (request) => answer(request, results), (url) => {
        output.print(`${url} shows ${results}; Ctrl-C ends it`);
      });
      await server.finished;
      return 0;
    },
  };
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
