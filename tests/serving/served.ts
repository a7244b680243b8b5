import { modelFlags, openModel, openSource } from "../../src/commands/model_source.ts";
import { type CommandArguments, readArguments } from "../../src/command_line.ts";
import type { LongMemModel } from "../../src/longmem/longmem_model.ts";
import type { ServedModel } from "../../src/serving/served_model.ts";
import { CompletionServer, type ServerLimits } from "../../src/serving/server.ts";
import { recordedOutput } from "../commands/recorded_output.ts";
import { writeTinyRun } from "../commands/tiny_run.ts";
import { withFolder } from "../temporary_folder.ts";

/** Limits that no test meets by accident. */
const ample: ServerLimits = {
  maxTokens: 200,
  promptTokens: 288,
  characters: 2 ** 16,
  sessions: 64,
  sessionMs: 3_600_000,
  concurrent: 8,
  waiting: 64,
  requestMs: 60_000,
  bodyBytes: 2 ** 16,
};

/** A server under test. */
export interface TestedServer {
  readonly server: CompletionServer;
  readonly served: ServedModel;
  readonly url: string;
  readonly port: number;
  /** Faults that it has reported. */
  readonly reported: unknown[];
  /** Sends JSON, or text as it is, and reads the answer. */
  readonly post: (
    path: string,
    body: unknown,
    headers?: Record<string, string>,
    // deno-lint-ignore no-explicit-any -- answers of any form
  ) => Promise<{ status: number; body: any; headers: Headers }>;
}

let opened: Promise<ServedModel> | undefined;

/** The tiny run's model, which all tests of a file share: window 32, memory of 256 tokens in chunks of 4. */
export function tinyModel(): Promise<ServedModel> {
  return opened ??= openTiny();
}

async function openTiny(): Promise<ServedModel> {
  let found: ServedModel | undefined;
  await withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`);
    const args: CommandArguments = readArguments({ flags: modelFlags }, [
      ...["--run", `${folder}/run`, "--device", "cpu"],
    ]);
    const source = await openSource(args, recordedOutput());
    found = { ...source, name: "tiny/run", model: await openModel(args, source) };
  });
  return found!;
}

/** Serves the tiny run, or another model, over HTTP while a test uses it. */
export async function withServer(
  { limits = {}, served, now }: {
    limits?: Partial<ServerLimits>;
    served?: ServedModel;
    now?: () => number;
  },
  use: (tested: TestedServer) => Promise<void>,
): Promise<void> {
  const model = served ?? await tinyModel(), reported: unknown[] = [];
  const server = new CompletionServer(model, {
    limits: { ...ample, ...limits },
    hostNames: ["127.0.0.1"],
    report: (error) => void reported.push(error),
    ...(now ? { now } : {}),
  });
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => server.answer(request),
  );
  const { port } = http.addr, url = `http://127.0.0.1:${port}`;
  const post: TestedServer["post"] = async (path, body, headers = {}) => {
    const response = await fetch(url + path, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers,
    });
    return {
      status: response.status,
      body: await response.json(),
      headers: response.headers,
    };
  };
  try {
    await use({ server, served: model, url, port, reported, post });
  } finally {
    server.stop();
    await http.shutdown();
    await server.close();
  }
}

/** A model with other methods in place of some. */
export function modelWith(model: LongMemModel, methods: Partial<LongMemModel>): LongMemModel {
  return new Proxy(model, {
    get(target, name) {
      const value = Reflect.get(methods, name) ?? Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
