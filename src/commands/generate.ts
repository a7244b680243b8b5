import {
  type Command,
  type CommandArguments,
  type Output,
  positiveInteger,
  UsageError,
} from "../command_line.ts";
import { generate } from "../longmem/generation.ts";
import { DecodeStream } from "../text/decode_stream.ts";
import { textIds } from "../text/text_ids.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { explainText } from "./explained_text.ts";
import { modelFlags, openModel, openSource } from "./model_source.ts";
import { documentFlag, fillMemory, memoryFlag, noteUnknown } from "./remembered_documents.ts";
import { summaries } from "./summaries.ts";

/** Milliseconds between reports of how far the document has been read. */
const progressInterval = 3000;

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
  const model = await openModel(args, source);
  try {
    const texts = await fillMemory(model, source, { memory, documents, output, interval });
    const prompt = args.flags.get("prompt")?.at(-1) ?? "";
    const promptIds = tokenizer.encode(prompt);
    noteUnknown("the prompt", promptIds, tokenizer, output);
    const promptTokens = [tokenizer.specialIds.bos, ...promptIds];
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
