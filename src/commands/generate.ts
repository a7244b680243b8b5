import {
  type Command,
  type CommandArguments,
  lastValue,
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

/**
 * `generate`: text from a model that has a long document in its memory.
 *
 * @param interval Milliseconds between reports of how far the document has been read.
 */
export function generateCommand(output: Output, interval: number = progressInterval): Command {
  return {
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
  if (!args.flags.has("memory") && !args.flags.has("document")) {
    throw new UsageError("Cannot generate as there is neither --document nor --memory");
  }
  const tokens = positiveInteger(args, "tokens") ?? 100;
  const temperature = readTemperature(args);
  const source = await openSource(args, output);
  const { tokenizer, contextTokens } = source;
  const chat = args.flags.has("chat") ? await chatIds(args, source) : undefined;
  await using model = await openModel(args, source);
  const texts = await fillMemory(model, source, { args, output, interval });
  const given = lastValue(args, "prompt") ?? "";
  // Of a conversation the answer alone is shown.
  const prompt = chat === undefined ? given : "";
  const promptIds = chat ?? tokenizer.encode(given);
  noteUnknown("the prompt", promptIds, tokenizer, output);
  // A chat template includes the token that begins a conversation.
  const promptTokens = chat ?? [tokenizer.specialIds.bos, ...promptIds];
  const generated = generate(model, {
    prompt: promptTokens,
    tokens,
    contextTokens,
    temperature,
    seed: lastValue(args, "seed") ?? 1,
    allows: textIds(tokenizer),
    end: tokenizer.specialIds.eos,
  });
  const ids = await printContinuation(prompt, generated, tokenizer, output);
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
  const content = lastValue(args, "prompt");
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

/** Prints a prompt with the text after it, each part as soon as it is known where the output takes parts; returns the ids of the text. */
async function printContinuation(
  prompt: string,
  generated: AsyncIterable<number>,
  tokenizer: Tokenizer,
  { print, write }: Output,
): Promise<number[]> {
  const stream = DecodeStream.after(tokenizer, prompt), ids: number[] = [];
  let text = prompt;
  write?.(prompt);
  const add = (part: string) => {
    text += part;
    if (part !== "") write?.(part);
  };
  for await (const id of generated) {
    ids.push(id);
    add(stream.add(id));
  }
  add(stream.end());
  if (write) write("\n");
  else print(text);
  return ids;
}

function readTemperature(args: CommandArguments): number {
  const text = lastValue(args, "temperature") ?? "1";
  const temperature = Number(text);
  if (text.trim() === "" || !(temperature >= 0 && temperature < Infinity)) {
    throw new UsageError(
      `Cannot read --temperature: current value is "${text}", allowed are numbers from 0`,
    );
  }
  return temperature;
}
