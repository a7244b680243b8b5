/**
 * `deno task serve`: answers OpenAI's requests for completions with a model, and keeps a memory for each session.
 */
import { basename, dirname } from "node:path";
import {
  type Command,
  type CommandArguments,
  type Flag,
  type Output,
  positiveInteger,
  UsageError,
} from "../command_line.ts";
import { failureText } from "../errors.ts";
import { Interruption } from "../queue/interruption.ts";
import { CompletionServer, type ServerLimits } from "../serving/server.ts";
import { listen, portFlag, portOf } from "./listening.ts";
import { modelFlags, openModel, openSource } from "./model_source.ts";
import { documentFlag, fillMemory, memoryFlag } from "./remembered_documents.ts";
import { summaries } from "./summaries.ts";

const defaultPort = 8087;

/** Addresses that may be listened on: of this machine alone, or all that it has. */
const hosts = ["127.0.0.1", "::1", "0.0.0.0", "::"] as const;

/** Milliseconds between looks for sessions that have ended. */
const expiryInterval = 30_000;

/**
 * Milliseconds that clients have to read their answers once the server stops. A connection over which a request has come only in part
 * would hold it up for good.
 */
const stoppingTime = 2000;

/** Limits that are flags: default, and the most that may be set. */
const limits = {
  tokens: { fallback: 1024, most: 2 ** 20, help: "most tokens of a completion" },
  "prompt-tokens": {
    fallback: undefined,
    most: 2 ** 24,
    help: "most tokens of a prompt (default: what memory and window hold together)",
  },
  sessions: { fallback: 64, most: 2 ** 16, help: "most sessions; the oldest makes room" },
  minutes: { fallback: 60, most: 60 * 24 * 14, help: "minutes without use that end a session" },
  concurrent: { fallback: 8, most: 1024, help: "requests that compute at the same time" },
  waiting: { fallback: 64, most: 2 ** 16, help: "requests that wait; more are refused" },
  seconds: { fallback: 300, most: 60 * 60 * 24, help: "seconds that a request may take" },
  mebibytes: { fallback: 4, most: 1024, help: "MiB of the body of a request" },
} as const;

/** `serve`: completions over HTTP until it is stopped. */
export function serveCommand(output: Output): Command {
  return {
    ...summaries.serve,
    flags: [
      ...modelFlags,
      { ...memoryFlag, help: "a memory that `remember` wrote, with which every session begins" },
      { ...documentFlag, help: "text that every session begins with; see remember" },
      portFlag(defaultPort),
      {
        name: "host",
        value: "ADDRESS",
        allowed: hosts,
        help: `address to listen on (default ${hosts[0]}, for this machine alone)`,
      },
      ...Object.entries(limits).map(([name, { fallback, help }]): Flag => ({
        name,
        value: "N",
        help: fallback === undefined ? help : `${help} (default ${fallback})`,
      })),
    ],
    execute: (args) => serve(args, output),
  };
}

async function serve(args: CommandArguments, output: Output): Promise<number> {
  if (args.operands.length > 0) {
    throw new UsageError(`Cannot serve "${args.operands[0]}" as it follows no flag`);
  }
  const port = portOf(args.flags, defaultPort);
  const hostname = args.flags.get("host")?.at(-1) ?? hosts[0];
  const limit = limitsOf(args);
  const source = await openSource(args, output);
  const model = await openModel(args, source);
  try {
    const memory = args.flags.get("memory")?.at(-1), documents = args.flags.get("document") ?? [];
    await fillMemory(model, source, { memory, documents, output });
    const name = modelName(args);
    const server = new CompletionServer({ ...source, name, model }, {
      limits: { ...limit, promptTokens: limit.promptTokens ?? mostPromptTokens(source, model) },
      // To other machines, this one may have any name.
      ...(["127.0.0.1", "::1"].includes(hostname)
        ? { hostNames: ["127.0.0.1", "localhost", "[::1]"] }
        : {}),
      report: (error) => output.note(failureText(error)),
    });
    await serveUntilStopped(server, { hostname, port, name }, output);
    return 0;
  } finally {
    await model.close();
  }
}

/** Listens until a signal asks for an end; requests that are under way then are answered with an error. */
async function serveUntilStopped(
  server: CompletionServer,
  { hostname, port, name }: { hostname: string; port: number; name: string },
  output: Output,
): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const http = listen({ hostname, port }, (request) => server.answer(request), (url) => {
    output.print(`${url}v1/completions answers with ${name}; Ctrl-C ends it`);
  });
  using _interruption = new Interruption({
    onStop: () => {
      output.note("stopping");
      server.stop();
      http.shutdown();
      timer = setTimeout(stopped.resolve, stoppingTime);
    },
    onStopAtOnce: () => Deno.exit(130),
  });
  const expiry = setInterval(() => void server.expire(), expiryInterval);
  try {
    await Promise.race([http.finished, stopped.promise]);
  } finally {
    clearInterval(expiry);
    clearTimeout(timer);
    await server.close();
  }
}

type FlagLimits = Omit<ServerLimits, "promptTokens"> & { readonly promptTokens?: number };

function limitsOf(args: CommandArguments): FlagLimits {
  const read = (name: keyof typeof limits) => {
    const value = positiveInteger(args, name), { fallback, most } = limits[name];
    if (value === undefined || value <= most) return value ?? fallback;
    throw new UsageError(
      `Cannot read --${name}: current value is ${value}, allowed are integers from 1 to ${most}`,
    );
  };
  const promptTokens = read("prompt-tokens");
  return {
    maxTokens: read("tokens")!,
    ...(promptTokens === undefined ? {} : { promptTokens }),
    sessions: read("sessions")!,
    sessionMs: 60_000 * read("minutes")!,
    concurrent: read("concurrent")!,
    waiting: read("waiting")!,
    requestMs: 1000 * read("seconds")!,
    bodyBytes: 2 ** 20 * read("mebibytes")!,
  };
}

/** Tokens that memory and window hold together: of a longer prompt, the beginning would be forgotten. */
function mostPromptTokens(
  { contextTokens }: { contextTokens: number },
  { memory }: { memory: { capacityTokens: number } },
): number {
  return contextTokens + memory.capacityTokens;
}

/** Name of the model for clients: EXPERIMENT/RUN, or that of the checkpoint. */
function modelName(args: CommandArguments): string {
  const run = args.flags.get("run")?.at(-1);
  if (run === undefined) return basename(args.flags.get("backbone")?.at(-1) ?? "");
  return `${basename(dirname(run))}/${basename(run)}`;
}
