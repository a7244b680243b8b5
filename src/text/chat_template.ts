/**
 * Chat templates: how a model that was trained on conversations has them written, as the files beside its tokenizer say.
 */
import { dirname, join } from "node:path";
import { z } from "zod";
import { InputError, InputTypeError } from "../errors.ts";
import { ifThere, readJson, readText } from "../files.ts";
import { readDeclaredSpecials } from "./special_tokens.ts";

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export interface ChatTemplate {
  /** The file that it is from, for errors. */
  readonly path: string;
  /** Jinja source. */
  readonly source: string;
  /** Texts of the special tokens that it may write. */
  readonly tokens: Readonly<Record<string, string>>;
}

/** A template that is a file of its own; it counts more than a field. */
const templateFile = "chat_template.jinja";

const configFile = "tokenizer_config.json";

/** Most bytes of a template. */
const mostBytes = 2 ** 20;

/** One template, or several by their names, of which `default` is meant. */
const field = z.looseObject({
  "chat_template": z.union([
    z.string(),
    z.array(z.looseObject({ name: z.string(), template: z.string() })),
  ]).nullish(),
});

/**
 * Reads the template beside a tokenizer.
 *
 * @param tokenizer Path of its `tokenizer.json`.
 * @returns undefined where there is none.
 * @throws {TypeError} Where the field that should hold it is malformed.
 */
export async function readChatTemplate(tokenizer: string): Promise<ChatTemplate | undefined> {
  const folder = dirname(tokenizer);
  const tokens: Record<string, string> = {};
  for (const [part, token] of Object.entries(await readDeclaredSpecials(folder) ?? {})) {
    if (typeof token === "string") tokens[`${part}_token`] = token;
  }
  const own = join(folder, templateFile);
  const text = await ifThere(readText(own, { maxBytes: mostBytes }));
  if (text !== undefined) return { path: own, source: text, tokens };
  const path = join(folder, configFile);
  const config = await ifThere(readJson(path));
  if (config === undefined) return undefined;
  const { success, data } = field.safeParse(config);
  if (!success) {
    throw new InputTypeError(
      `Cannot read "${path}" as chat_template must be a template, or a list of them with their names`,
    );
  }
  const { "chat_template": found } = data;
  const source = Array.isArray(found)
    ? found.find(({ name }) => name === "default")?.template
    : found;
  return source == null ? undefined : { path, source, tokens };
}

/**
 * Writes a conversation as a template has it, up to where the answer begins.
 *
 * @throws {Error} Where the template is malformed or refuses the conversation.
 */
export async function renderChat(
  { path, source, tokens }: ChatTemplate,
  messages: readonly ChatMessage[],
): Promise<string> {
  // Not before it is needed: few commands are.
  const { Template } = await import("@huggingface/jinja");
  try {
    return new Template(source).render({
      messages: messages.map((message) => ({ ...message })),
      "add_generation_prompt": true,
      ...tokens,
    });
  } catch (cause) {
    throw new InputError(
      `Cannot use the chat template of "${path}" as it fails: ${(cause as Error).message}`,
      { cause },
    );
  }
}
