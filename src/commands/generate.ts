import {
  type Command,
  type CommandArguments,
  type Output,
  positiveInteger,
  reading,
  UsageError,
} from "../command_line.ts";
import { InputTypeError } from "../errors.ts";
import { generate } from "../longmem/generation.ts";
import { readChatTemplate, renderChat } from "../text/chat_template.ts";
import { DecodeStream } from "../text/decode_stream.ts";
import { textIds } from "../text/text_ids.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { explainText } from "./explained_text.ts";
import { modelFlags, type ModelSource, openModel, openSource } from "./model_source.ts";
import {
  documentFlag,
  fillMemory,
  memoryFlag,
  noteUnknown,
  progressInterval,
} from "./remembered_documents.ts";
import { summaries } from "./summaries.ts";

/**
 * `generate`: text from a model that has a long document in its memory.
 *
 * @param interval Milliseconds between reports of how far the document has been read.
 */
export function generateCommand(output: Output, interval: number = progressInterval): Command {
  return {
    ...summaries.generate,
    flags: [
      ...modelFlags,
      documentFlag,
      memoryFlag,
      { name: "prompt", value: "TEXT", help: "text to continue (default none)" },
      {
        name: "chat",
        help:
          "take the prompt as a user's message, and answer as the tokenizer's chat template has it",
      },
      { name: "tokens", value: "N", help: "tokens to generate at most (default 100)" },
      { name: "seed", value: "N", help: "seed of the sampling (default 1)" },
      { name: "temperature", value: "X", help: "0 takes the most probable token (default 1)" },
      {
        name: "explain",
        help:
          "also print, for each token, its probability with the memory and without, and the passages " +
          "that raise it, each by the probability where it is hidden; takes two passes more for each token",
      },
    ],
    execute: (args) => generateText(args, output, interval),
  };
}

async function generateText(
  args: CommandArguments,
  output: Output,
  interval: number,
): Promise<number> {
  if (args.operands.length > 0) {
    throw new UsageError(`Cannot generate from "${args.operands[0]}" as it follows no flag`);
  }
  const memory = args.flags.get("memory")?.at(-1);
  const documents = args.flags.get("document") ?? [];
  if (memory === undefined && documents.length === 0) {
    throw new UsageError("Cannot generate as there is neither --document nor --memory");
  }
  const tokens = positiveInteger(args, "tokens") ?? 100;
  const temperature = readTemperature(args);
  const source = await openSource(args, output);
  const { tokenizer, contextTokens } = source;
  const chat = args.flags.has("chat") ? await chatIds(args, source) : undefined;
  const model = await openModel(args, source);
  try {
    const texts = await fillMemory(model, source, { memory, documents, output, interval });
    const given = args.flags.get("prompt")?.at(-1) ?? "";
    // Of a conversation the answer alone is shown.
    const prompt = chat === undefined ? given : "";
    const promptIds = chat ?? tokenizer.encode(given);
    noteUnknown("the prompt", promptIds, tokenizer, output);
    // A chat template includes the token that begins a conversation.
    const promptTokens = chat ?? [tokenizer.specialIds.bos, ...promptIds];
    const ids: number[] = [];
    const generated = noting(
      ids,
      generate(model, {
        prompt: promptTokens,
        tokens,
        contextTokens,
        temperature,
        seed: args.flags.get("seed")?.at(-1) ?? 1,
        allows: textIds(tokenizer),
        end: tokenizer.specialIds.eos,
      }),
    );
    await printContinuation(prompt, generated, tokenizer, output);
    if (args.flags.has("explain")) {
      const lines = explainText(model, tokenizer, {
        prompt: promptTokens,
        ids,
        contextTokens,
        texts,
      });
      for await (const line of lines) output.print(line);
    }
    return 0;
  } finally {
    await model.close();
  }
}

/** Passes ids on and appends each to a list. */
async function* noting(list: number[], ids: AsyncIterable<number>): AsyncGenerator<number> {
  for await (const id of ids) {
    list.push(id);
    yield id;
  }
}

/**
 * Ids of a conversation in which the prompt is a user's message, up to where the answer begins.
 *
 * @throws {UsageError} Where there is no prompt.
 */
async function chatIds(
  args: CommandArguments,
  { tokenizer, tokenizerPath }: ModelSource,
): Promise<number[]> {
  const content = args.flags.get("prompt")?.at(-1);
  if (!content) {
    throw new UsageError("Cannot use --chat as --prompt, the user's message, is missing");
  }
  return await reading(async () => {
    const template = tokenizerPath === undefined
      ? undefined
      : await readChatTemplate(tokenizerPath);
    if (!template || !tokenizer.encodeMarked) {
      throw new InputTypeError(
        `Cannot use --chat as the tokenizer${
          tokenizerPath === undefined ? "" : ` "${tokenizerPath}"`
        } has no chat template: those are in tokenizer_config.json or chat_template.jinja beside it`,
      );
    }
    return tokenizer.encodeMarked(await renderChat(template, [{ role: "user", content }]));
  });
}

/** Prints a prompt with the text after it, each part as soon as it is known where the output takes parts. */
async function printContinuation(
  prompt: string,
  generated: AsyncIterable<number>,
  tokenizer: Tokenizer,
  { print, write }: Output,
): Promise<void> {
  const stream = DecodeStream.after(tokenizer, prompt);
  let text = prompt;
  write?.(prompt);
  const add = (part: string) => {
    text += part;
    if (part !== "") write?.(part);
  };
  for await (const id of generated) add(stream.add(id));
  add(stream.end());
  if (write) write("\n");
  else print(text);
}

function readTemperature(args: CommandArguments): number {
  const text = args.flags.get("temperature")?.at(-1) ?? "1";
  const temperature = Number(text);
  if (text.trim() === "" || !(temperature >= 0 && temperature < Infinity)) {
    throw new UsageError(
      `Cannot read --temperature: current value is "${text}", allowed are numbers from 0`,
    );
  }
  return temperature;
}
