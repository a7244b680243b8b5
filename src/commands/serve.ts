/**
 * `deno task serve`: answers OpenAI's requests for completions with a model, and keeps a memory for each session.
 */
import { basename, dirname } from "node:path";
import {
  type Command,
  type CommandArguments,
  type Flag,
  lastValue,
  type Output,
  positiveInteger,
  UsageError,
} from "../command_line.ts";
import { bankHeads } from "../backbone/architectures.ts";
import { failureText } from "../errors.ts";
import { bankBytes } from "../experiment/memory_need.ts";
import type { LongMemModel } from "../longmem/longmem_model.ts";
import { Interruption } from "../queue/interruption.ts";
import { gibibytes } from "../quantities.ts";
import { CompletionServer } from "../serving/server.ts";
import { machineMemoryBytes } from "../system.ts";
import { listen, portFlag, portOf } from "./listening.ts";
import { modelFlags, openModel, openSource } from "./model_source.ts";
import { documentFlag, fillMemory, memoryFlag } from "./remembered_documents.ts";

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
const limitFlags = {
  tokens: { fallback: 1024, most: 2 ** 20, help: "most tokens of a completion" },
  "prompt-tokens": {
    fallback: undefined,
    most: 2 ** 24,
    help: "most tokens of a prompt (default: what memory and window hold together)",
  },
  characters: {
    fallback: 2 ** 20,
    most: 2 ** 28,
    help: "characters of text in a request, which hold up all others while they become tokens",
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
      ...Object.entries(limitFlags).map(([name, { fallback, help }]): Flag => ({
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
  const hostname = lastValue(args, "host") ?? hosts[0];
  const limits = readLimits(args);
  const source = await openSource(args, output);
  await using model = await openModel(args, source);
  await fillMemory(model, source, { args, output });
  const remark = sessionsRemark(model, limits.sessions, machineMemoryBytes());
  if (remark !== undefined) output.note(remark);
  const name = modelName(args);
  // Of a longer prompt, the beginning would be forgotten.
  const { promptTokens = source.contextTokens + model.memory.capacityTokens } = limits;
  const server = new CompletionServer({ ...source, name, model }, {
    limits: { ...limits, promptTokens },
    // To other machines, this one may have any name.
    ...(["127.0.0.1", "::1"].includes(hostname)
      ? { hostNames: ["127.0.0.1", "localhost", "[::1]"] }
      : {}),
    report: (error) => output.note(failureText(error)),
  });
  await serveUntilStopped(server, { hostname, port, name }, output);
  return 0;
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

/** Warns of sessions whose memories need more than the RAM of this machine; undefined where they fit, or are on a GPU. */
export function sessionsRemark(
  { memory, backboneShape, device }: Pick<LongMemModel, "memory" | "backboneShape" | "device">,
  sessions: number,
  machineBytes = Infinity,
): string | undefined {
  if (device.kind === "webgpu") return undefined;
  const bytes = bankBytes(memory, bankHeads(backboneShape), 1);
  if (sessions * bytes <= machineBytes) return undefined;
  return `The memories of ${sessions} sessions may take ${gibibytes(sessions * bytes)}, ${
    gibibytes(bytes)
  } each: this machine has ${gibibytes(machineBytes)}; --sessions and --capacity lower that`;
}

function readLimits(args: CommandArguments) {
  const read = (name: keyof typeof limitFlags) => {
    const value = positiveInteger(args, name), { fallback, most } = limitFlags[name];
    if (value === undefined || value <= most) return value ?? fallback;
    throw new UsageError(
      `Cannot read --${name}: current value is ${value}, allowed are integers from 1 to ${most}`,
    );
  };
  return {
    maxTokens: read("tokens")!,
    promptTokens: read("prompt-tokens"),
    characters: read("characters")!,
    sessions: read("sessions")!,
    sessionMs: 60_000 * read("minutes")!,
    concurrent: read("concurrent")!,
    waiting: read("waiting")!,
    requestMs: 1000 * read("seconds")!,
    bodyBytes: 2 ** 20 * read("mebibytes")!,
  };
}

/** Name of the model for clients: EXPERIMENT/RUN, or that of the checkpoint. */
function modelName(args: CommandArguments): string {
  const run = lastValue(args, "run");
  if (run === undefined) return basename(lastValue(args, "backbone") ?? "");
  return `${basename(dirname(run))}/${basename(run)}`;
}
