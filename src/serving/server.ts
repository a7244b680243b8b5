// deno-lint-ignore-file camelcase -- names of OpenAI's interface
/**
 * Answers of a server of completions, in OpenAI's form: `/v1/completions`, `/v1/models`, the memories of sessions, and the
 * tokenizer.
 */
import { isInputError } from "../errors.ts";
import type { LongMemModel } from "../longmem/longmem_model.ts";
import { sha256Of } from "../sha256.ts";
import { tokenizeDocument } from "../text/document_tokens.ts";
import { textIds } from "../text/text_ids.ts";
import { TokenTexts } from "../text/token_texts.ts";
import { checkTokenIds } from "../text/tokenizer.ts";
import { Admission, type AdmissionLimits, orAborted } from "./admission.ts";
import { ApiError } from "./api_error.ts";
import { complete, type PromptTokens, promptTokens } from "./completion.ts";
import {
  type CompletionRequest,
  mostScores,
  type Prompt,
  readCompletionRequest,
  readDetokenizeRequest,
  readFeedRequest,
  readTokenizeRequest,
  type RequestLimits,
  sessionId,
} from "./completion_request.ts";
import { CompletionAnswer } from "./completion_answer.ts";
import { eventStream } from "./event_stream.ts";
import { rememberTokens } from "./long_prompt.ts";
import { partChannel } from "./part_channel.ts";
import { readJson } from "./request_body.ts";
import { headers, json, methods } from "./responses.ts";
import type { ServedModel } from "./served_model.ts";
import { type Session, type SessionLimits, Sessions } from "./sessions.ts";
import { specialNames } from "./token_scores.ts";

export interface ServerLimits extends RequestLimits, SessionLimits, AdmissionLimits {
  /** Most bytes of the body of a request. */
  readonly bodyBytes: number;
  /** Milliseconds that a request may take, from its first byte to the last of the answer. */
  readonly requestMs: number;
}

/** Options of {@linkcode CompletionServer}. */
export interface ServerOptions {
  readonly limits: ServerLimits;
  /** Host names that requests may ask for, as this machine's own; absent: any. */
  readonly hostNames?: readonly string[];
  /** Reports faults that are not the client's. */
  readonly report: (error: unknown) => void;
  /** The time in milliseconds (default the clock's). */
  readonly now?: () => number;
}

/** A request under way. */
interface Running {
  /** Aborts where the client goes away, the time is over, or the server ends; the reason is the error. */
  readonly signal: AbortSignal;
  /** Ends it; several times is as once. */
  readonly end: () => void;
}

/** Answers requests with a model. */
export class CompletionServer {
  readonly #served: ServedModel;
  readonly #options: ServerOptions;
  readonly #sessions: Sessions;
  readonly #admission: Admission;
  readonly #texts: TokenTexts;
  readonly #allows: (id: number) => boolean;
  readonly #created: number;
  readonly #stopping = new AbortController();

  constructor(served: ServedModel, options: ServerOptions) {
    this.#served = served;
    this.#options = options;
    this.#sessions = new Sessions(served.model, options.limits, options.now);
    this.#admission = new Admission(options.limits);
    this.#texts = new TokenTexts(served.tokenizer);
    this.#allows = textIds(served.tokenizer, this.#texts);
    this.#created = this.#seconds();
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Requests that compute or wait. */
  get admitted(): number {
    return this.#admission.admitted;
  }

  /** Forgets the sessions that have not been used for too long. */
  expire(): Promise<void> {
    return this.#sessions.expire();
  }

  /** Ends the requests under way, with an error. */
  stop(): void {
    this.#stopping.abort(new ApiError(503, "Cannot answer as the server is stopping"));
  }

  /** Frees the memories of all sessions. */
  close(): Promise<void> {
    return this.#sessions.close();
  }

  /** Answers a request. */
  async answer(request: Request): Promise<Response> {
    const running = this.#begin(request);
    try {
      this.#checkOrigin(request);
      const response = await this.#route(request, running);
      if (!response.headers.get("content-type")?.startsWith("text/event-stream")) running.end();
      return response;
    } catch (error) {
      running.end();
      return this.#errorResponse(error);
    }
  }

  #begin(request: Request): Running {
    const controller = new AbortController(), { requestMs } = this.#options.limits;
    const abort = (reason: unknown) => controller.abort(reason);
    const timer = setTimeout(
      () => abort(new ApiError(504, `Cannot answer in time: allowed are ${requestMs / 1000} s`)),
      requestMs,
    );
    const leave = () => abort(new ApiError(499, "The client has gone away"));
    const stop = () => abort(this.#stopping.signal.reason);
    request.signal.addEventListener("abort", leave, { once: true });
    this.#stopping.signal.addEventListener("abort", stop, { once: true });
    if (this.#stopping.signal.aborted) stop();
    return {
      signal: controller.signal,
      end: () => {
        clearTimeout(timer);
        request.signal.removeEventListener("abort", leave);
        this.#stopping.signal.removeEventListener("abort", stop);
        leave(); // whoever still computes for it ends
      },
    };
  }

  /** Pages of others must not use a server of this machine, be it by a name of their own that points to it. */
  #checkOrigin(request: Request): void {
    const { hostNames } = this.#options, { hostname, host } = new URL(request.url);
    if (hostNames && !hostNames.includes(hostname)) {
      throw new ApiError(
        403,
        `Cannot answer as the host is unknown: current value is "${hostname}", allowed are ${
          hostNames.join(", ")
        }`,
      );
    }
    const origin = request.headers.get("origin");
    if (origin !== null && URL.parse(origin)?.host !== host) {
      throw new ApiError(
        403,
        `Cannot answer a page of another server: current value of Origin is "${origin}"`,
      );
    }
  }

  async #route(request: Request, running: Running): Promise<Response> {
    const { pathname } = new URL(request.url), { name } = this.#served;
    const model = { id: name, object: "model", created: this.#created, owned_by: "longmem-lab" };
    const [, session, memory] = /^\/v1\/sessions\/([^/]+)(\/memory)?$/.exec(pathname) ?? [];
    if (session !== undefined) {
      const id = this.#sessionOf(decodedPart(session));
      return memory
        ? await methods(request, { POST: () => this.#feed(request, id, running) })
        : await methods(request, {
          GET: () => this.#describe(id),
          DELETE: () => this.#forget(id),
        });
    }
    switch (pathname) {
      case "/v1/completions":
        return await methods(request, { POST: () => this.#complete(request, running) });
      case "/v1/models":
        return await methods(request, { GET: () => json({ object: "list", data: [model] }) });
      case "/tokenizer_info":
        return await methods(request, {
          GET: () => json({ bos_token: specialNames.bos, eos_token: specialNames.eos }),
        });
      case "/tokenize":
        return await methods(request, { POST: () => this.#tokenize(request, running) });
      case "/detokenize":
        return await methods(request, { POST: () => this.#detokenize(request, running) });
    }
    if (pathname.startsWith("/v1/models/")) {
      const asked = decodedPart(pathname.slice("/v1/models/".length));
      if (asked === name) return await methods(request, { GET: () => json(model) });
      throw new ApiError(404, `There is no model "${asked}": allowed is "${name}"`, {
        param: "model",
        code: "model_not_found",
      });
    }
    throw new ApiError(
      404,
      `There is no "${pathname}": allowed are /v1/completions, /v1/models, /v1/sessions/ID, /v1/sessions/ID/memory, ` +
        "/tokenizer_info, /tokenize, /detokenize",
    );
  }

  #bodyOf(request: Request, { signal }: Running): Promise<unknown> {
    return readJson(request, { ...this.#options.limits, signal });
  }

  #sessionOf(id: string): string {
    if (sessionId.safeParse(id).success) return id;
    throw new ApiError(
      400,
      `Cannot use session ${
        JSON.stringify(id.slice(0, 200))
      } as its id is not allowed: allowed are ${sessionId.description}`,
      { param: "session" },
    );
  }

  /** Runs a call with a session's memory, or with that of all starts, once there is room for it. */
  async #compute<Result>(
    id: string | undefined,
    { opens, signal }: { opens: boolean; signal: AbortSignal },
    call: (session: Session | undefined) => Promise<Result>,
  ): Promise<Result> {
    const compute = async (session: Session | undefined) => {
      using _turn = await this.#admission.turn(signal);
      return await call(session);
    };
    const computed = id === undefined
      ? compute(undefined)
      : this.#sessions.use(id, { opens }, compute);
    return await orAborted(computed, signal);
  }

  async #complete(request: Request, running: Running): Promise<Response> {
    const { limits } = this.#options, { signal } = running;
    const body = await this.#bodyOf(request, running);
    const asked = readCompletionRequest(body, limits, this.#served.name);
    const header = request.headers.get("x-session-id");
    if (header !== null && asked.session !== undefined && header !== asked.session) {
      throw new ApiError(
        400,
        `Cannot complete as the header X-Session-Id and session differ: current values are "${header}" and "${asked.session}"`,
        { param: "session" },
      );
    }
    const id = header === null ? asked.session : this.#sessionOf(header);
    this.#checkCharacters("prompt", asked.prompts);
    const prompts = asked.prompts.map((_, i) => this.#promptTokens(asked, i));
    checkScores(asked, prompts);
    const admitted = this.#admission.admit();
    const channel = partChannel();
    const computing = this.#compute(id, { opens: false, signal }, async (session) => {
      const model = session?.model ?? this.#served.model;
      for (const [index, prompt] of prompts.entries()) {
        const parts = complete(
          { ...this.#served, model, texts: this.#texts, allows: this.#allows },
          prompt,
          asked,
          signal,
        );
        for await (const part of parts) channel.put({ ...part, index });
      }
    }).then(() => channel.end(), (error) => channel.fail(error))
      .finally(() => admitted[Symbol.dispose]());
    const answer = new CompletionAnswer(asked, prompts, {
      model: this.#served.name,
      created: this.#seconds(),
    });
    if (!asked.stream) {
      const whole = await answer.whole(channel.parts);
      await computing;
      return json(whole);
    }
    // The first part decides whether there is an error, of which the status tells.
    const first = await channel.parts.next();
    const stream = eventStream(answer.events(first, channel.parts), {
      failure: (error) => JSON.stringify(this.#apiError(error).body),
      signal,
      onEnd: running.end,
    });
    return new Response(stream, {
      headers: { ...headers, "content-type": "text/event-stream; charset=utf-8" },
    });
  }

  #checkCharacters(param: string, prompts: readonly Prompt[]): void {
    const { characters: most } = this.#options.limits;
    const texts = prompts.filter((prompt) => typeof prompt === "string");
    const n = texts.reduce((sum, { length }) => sum + length, 0);
    if (n <= most) return;
    throw new ApiError(
      400,
      `Cannot read ${param} as its text has ${n} characters: allowed are ${most} in a request`,
      { param },
    );
  }

  /** Token ids of a prompt, checked. */
  #promptTokens(request: CompletionRequest, i: number): PromptTokens {
    const { tokenizer } = this.#served, { promptTokens: most } = this.#options.limits;
    const param = request.prompts.length === 1 ? "prompt" : `prompt.${i}`;
    const prompt = request.prompts[i];
    if (typeof prompt !== "string") {
      invalid(param, () => checkTokenIds(prompt, tokenizer.vocabSize, `complete ${param}`));
    }
    const tokens = promptTokens(prompt, tokenizer, request);
    const n = tokens.ids.length;
    if (n === 0 || n > most) {
      throw new ApiError(
        400,
        `Cannot complete as ${param} has ${n} tokens: allowed are 1 to ${most}`,
        { param },
      );
    }
    return tokens;
  }

  async #feed(request: Request, id: string, running: Running): Promise<Response> {
    const { signal } = running;
    const { text, name } = readFeedRequest(await this.#bodyOf(request, running));
    this.#checkCharacters("text", [text]);
    const { tokenizer } = this.#served, sha256 = sha256Of(text);
    const document = { name: name ?? "text", text, sha256 };
    const { tokens } = tokenizeDocument(document, tokenizer, this.#served);
    using _admitted = this.#admission.admit();
    return await this.#compute(id, { opens: true, signal }, async (session) => {
      const before = rememberedIn(session!.model).tokens;
      await session!.change((model) => rememberTokens(model, tokens, { ...this.#served, signal }));
      session!.texts = [
        ...session!.texts,
        { name: document.name, sha256, start: before, tokens: tokens.length },
      ];
      return json(this.#sessionBody(id, session!));
    });
  }

  async #describe(id: string): Promise<Response> {
    return await this.#sessions.use(
      id,
      { opens: false },
      (session) => Promise.resolve(json(this.#sessionBody(id, session))),
    );
  }

  #sessionBody(id: string, session: Session) {
    const { tokens, chunks } = rememberedIn(session.model);
    return {
      id,
      object: "session",
      texts: session.texts.map(({ name, tokens }) => ({ name, tokens })),
      tokens_read: tokens,
      tokens_in_memory: chunks * this.#served.chunkTokens,
    };
  }

  async #forget(id: string): Promise<Response> {
    if (!await this.#sessions.forget(id)) throw this.#sessions.missing(id);
    return json({ id, object: "session.deleted", deleted: true });
  }

  async #tokenize(request: Request, running: Running): Promise<Response> {
    const body = await this.#bodyOf(request, running);
    const { prompt, add_special_tokens: adds = true } = readTokenizeRequest(body);
    this.#checkCharacters("prompt", [prompt]);
    const { tokenizer, contextTokens } = this.#served, { bos, eos } = tokenizer.specialIds;
    const ids = prompt === specialNames.bos
      ? [bos]
      : prompt === specialNames.eos
      ? [eos]
      : [...adds ? [bos] : [], ...tokenizer.encode(prompt)];
    return json({ tokens: ids, count: ids.length, max_model_len: contextTokens });
  }

  async #detokenize(request: Request, running: Running): Promise<Response> {
    const { tokens } = readDetokenizeRequest(await this.#bodyOf(request, running));
    const { tokenizer } = this.#served;
    invalid("tokens", () => checkTokenIds(tokens, tokenizer.vocabSize, "detokenize tokens"));
    return json({ prompt: this.#texts.decode(tokens) });
  }

  #seconds(): number {
    return Math.floor((this.#options.now ?? Date.now)() / 1000);
  }

  #errorResponse(error: unknown): Response {
    const { status, body, details } = this.#apiError(error);
    return json(body, { status, headers: details.headers ?? {} });
  }

  #apiError(error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    if (isInputError(error)) return new ApiError(500, (error as Error).message);
    this.#options.report(error);
    return new ApiError(500, "The server has failed: its output says how");
  }
}

/** A part of a path without its escapes; as it is, where those are none. */
function decodedPart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Refuses a request whose answer would have more log-likelihoods than a server has room for. */
function checkScores(
  { echo, logprobs, maxTokens }: CompletionRequest,
  prompts: readonly PromptTokens[],
): void {
  if (logprobs === undefined) return;
  const tokens = prompts.reduce((sum, { ids }) => sum + (echo ? ids.length : 0) + maxTokens, 0);
  const scores = tokens * (1 + logprobs);
  if (scores <= mostScores) return;
  throw new ApiError(
    400,
    `Cannot complete as logprobs is ${logprobs} for up to ${tokens} tokens: current number of log-likelihoods is ${scores}, ` +
      `allowed are ${mostScores} in a request`,
    { param: "logprobs" },
  );
}

/** Runs a check of a field, whose errors are the client's. */
function invalid(param: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!isInputError(error)) throw error;
    throw new ApiError(400, (error as Error).message, { param });
  }
}

/** Tokens that the memory of a model has been given, and the chunks that it holds. */
function rememberedIn(
  { rememberedTokens, memoryFillChunks }: LongMemModel,
): { readonly tokens: number; readonly chunks: number } {
  return { tokens: rememberedTokens[0] ?? 0, chunks: memoryFillChunks[0] ?? 0 };
}
