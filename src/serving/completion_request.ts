// deno-lint-ignore-file camelcase -- names of OpenAI's interface
/**
 * The body of a request for completions: OpenAI's form, checked, with every default.
 */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { parseForm } from "../declaration/form_problems.ts";
import { defined } from "../defined.ts";
import { show } from "../declaration/problem.ts";
import { finiteNumber, seed, trueOrFalse } from "../declaration/fields.ts";
import { ApiError } from "./api_error.ts";

/** A prompt: text, or token ids. */
export type Prompt = string | readonly number[];

export interface CompletionRequest {
  /** One completion is made of each. */
  readonly prompts: readonly Prompt[];
  /** Tokens to generate at most. */
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  /** Texts before which a completion ends. */
  readonly stop: readonly string[];
  /** Whether a completion begins with its prompt. */
  readonly echo: boolean;
  /** Most likely tokens that are returned for each place, with the token itself; absent: no probabilities. */
  readonly logprobs?: number;
  readonly stream: boolean;
  /** Whether a stream ends with the numbers of tokens. */
  readonly includeUsage: boolean;
  /** Whether a prompt of text is read after the token that begins a document. */
  readonly addSpecialTokens: boolean;
  /** The session whose memory is read. */
  readonly session?: string;
}

export interface RequestLimits {
  /** Most tokens of a completion. */
  readonly maxTokens: number;
  readonly promptTokens: number;
  /** Most characters of text in a request: no other request is answered while they become tokens. */
  readonly characters: number;
}

/** Most prompts of a request, stop texts of a request, and likely tokens of a place. */
const most = { prompts: 256, stops: 16, logprobs: 20 };

/** Log-likelihoods that a request may ask for, of all its tokens; they are kept until the client has read them. */
export const mostScores = 2 ** 21;

/** Names "." and ".." are parts of paths that every client resolves. */
const sessionPattern = /^(?!\.{1,2}$)[\w.~-]{1,128}$/;

/** Ids of sessions: whoever knows one may read its memory. */
export const sessionId = z.string().regex(sessionPattern).describe(
  'letters, digits, "_", "-", "." and "~", at most 128, but not "." or ".." alone',
);

const stopText = z.string().min(1);

/** Fields that others' programs send, and which change nothing here at these values. */
const neutral = {
  n: z.literal(1).describe("1"),
  best_of: z.literal(1).describe("1"),
  presence_penalty: z.literal(0).describe("0"),
  frequency_penalty: z.literal(0).describe("0"),
  suffix: z.string().max(0).describe('"" or null'),
  logit_bias: z.unknown().refine((value) => isDeepStrictEqual(value, {})).describe("{} or null"),
  user: z.string().describe("text"),
};

function formOf({ maxTokens }: RequestLimits) {
  return z.strictObject({
    prompt: z.unknown(),
    model: z.string().describe("text"),
    max_tokens: z.int().min(0).max(maxTokens).describe(`integers from 0 to ${maxTokens}`),
    temperature: z.number().min(0).max(100).describe("numbers from 0 to 100"),
    top_p: z.number().gt(0).max(1).describe("numbers above 0, at most 1"),
    seed,
    stop: z.union([stopText, z.array(stopText).max(most.stops)]).describe(
      `text, or a list of at most ${most.stops} texts, none of them empty`,
    ),
    echo: trueOrFalse,
    logprobs: z.int().min(0).max(most.logprobs).describe(`integers from 0 to ${most.logprobs}`),
    stream: trueOrFalse,
    stream_options: z.strictObject({ include_usage: trueOrFalse }).partial(),
    add_special_tokens: trueOrFalse,
    session: sessionId,
    ...neutral,
  }).partial();
}

/**
 * Checks the body of a request.
 *
 * @param model The only model there is.
 * @throws ApiError naming the field, its value and the allowed values.
 */
export function readCompletionRequest(
  body: unknown,
  limits: RequestLimits,
  model: string,
): CompletionRequest {
  const given = readForm(formOf(limits), body, "complete");
  if (given.model !== undefined && given.model !== model) {
    throw new ApiError(
      404,
      `Cannot complete as model is unknown: current value is ${
        show(given.model)
      }, allowed is "${model}"`,
      { param: "model", code: "model_not_found" },
    );
  }
  const { stop = [] } = given;
  return {
    prompts: readPrompts(given.prompt),
    maxTokens: given.max_tokens ?? Math.min(16, limits.maxTokens),
    temperature: given.temperature ?? 1,
    topP: given.top_p ?? 1,
    seed: given.seed ?? 1,
    stop: typeof stop === "string" ? [stop] : stop,
    echo: given.echo ?? false,
    stream: given.stream ?? false,
    includeUsage: given.stream_options?.include_usage ?? false,
    addSpecialTokens: given.add_special_tokens ?? true,
    ...defined({ logprobs: given.logprobs, session: given.session }),
  };
}

/** Fields of a request that feeds a session. */
const feedForm = z.strictObject({
  text: z.string().min(1).describe("text that is not empty"),
  name: z.string().min(1).max(200).exactOptional().describe("text of at most 200 characters"),
});

/** Checks the body of a request that feeds a session: the text, and its name. */
export function readFeedRequest(body: unknown): { readonly text: string; readonly name?: string } {
  return readForm(feedForm, body, "remember");
}

const tokenIds = z.array(finiteNumber).describe("lists of token ids");

/** Checks the body of a request for token ids. */
export function readTokenizeRequest(
  body: unknown,
): { readonly prompt: string; readonly add_special_tokens?: boolean } {
  const form = z.strictObject({
    prompt: z.string().describe("text"),
    add_special_tokens: trueOrFalse.exactOptional(),
    model: z.string().exactOptional().describe("text"),
  });
  return readForm(form, body, "tokenize");
}

/** Checks the body of a request for the text of token ids. */
export function readDetokenizeRequest(body: unknown): { readonly tokens: readonly number[] } {
  const form = z.strictObject({
    tokens: tokenIds,
    model: z.string().exactOptional().describe("text"),
  });
  return readForm(form, body, "detokenize");
}

/** Longest value that an error quotes whole, in characters. */
const quotedCharacters = 100;

/** Checks the form of a body, whose fields that are null count as left out. */
function readForm<T>(form: z.ZodType<T>, body: unknown, action: string): T {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new ApiError(
      400,
      `Cannot ${action} as the body must be a JSON object: current value is ${quoted(body)}`,
    );
  }
  const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  const { declared, problems } = parseForm(form, given);
  if (declared !== undefined) return declared;
  const [{ path, message }] = problems;
  const value = path.split(".")
    .reduce<unknown>((of, key) => (of as Record<string, unknown> | undefined)?.[key], given);
  const shown = show(value), short = quoted(value);
  throw new ApiError(
    400,
    `Cannot ${action} as ${path} ${message.replace(shown, () => short)}`,
    { param: path },
  );
}

/** A value as JSON, cut where it is long. */
function quoted(value: unknown): string {
  const text = show(value);
  return text.length <= quotedCharacters
    ? text
    : `${text.slice(0, quotedCharacters)}... (${text.length} characters)`;
}

const promptForms = "text, a list of texts, a list of token ids, or a list of such lists, " +
  `at most ${most.prompts} prompts`;

function readPrompts(prompt: unknown): readonly Prompt[] {
  const isIds = (value: unknown): value is number[] =>
    Array.isArray(value) && value.length > 0 && value.every(Number.isInteger);
  if (typeof prompt === "string") return [prompt];
  if (isIds(prompt)) return [prompt];
  const isList = Array.isArray(prompt) && prompt.length > 0 && prompt.length <= most.prompts;
  if (isList && (prompt.every((one) => typeof one === "string") || prompt.every(isIds))) {
    return prompt as Prompt[];
  }
  throw new ApiError(
    400,
    prompt === undefined || prompt === null
      ? `Cannot complete as prompt is missing: allowed are ${promptForms}`
      : `Cannot complete as prompt has a wrong value: current value is ${
        quoted(prompt)
      }, allowed are ${promptForms}`,
    { param: "prompt" },
  );
}
