import {
  type Command,
  type CommandArguments,
  lastValue,
  type Output,
  positiveInteger,
  UsageError,
} from "../command_line.ts";
import { generate } from "../longmem/generation.ts";
import { DecodeStream } from "../text/decode_stream.ts";
import { textIds } from "../text/text_ids.ts";
import { modelFlags, openModel, openSource } from "./model_source.ts";
import { documentFlag, fillMemory, memoryFlag, noteUnknown } from "./remembered_documents.ts";

/** Where a question stands in the prompt. */
const place = "{question}";

/** The prompt, where the command line has none. */
const defaultPrompt = `Question: ${place}\nAnswer:`;

/** `ask`: answers a question about the documents in a model's memory. */
export function askCommand(output: Output): Command {
  return {
    flags: [
      ...modelFlags,
      documentFlag,
      memoryFlag,
      {
        name: "prompt",
        value: "TEXT",
        help: `what the model continues, with ${place} where the question stands ` +
          `(default ${JSON.stringify(defaultPrompt)})`,
      },
      { name: "tokens", value: "N", help: "tokens of the answer at most (default 50)" },
    ],
    execute: (args) => ask(args, output),
  };
}

async function ask(args: CommandArguments, output: Output): Promise<number> {
  const [question] = args.operands;
  if (args.operands.length !== 1) {
    throw new UsageError(
      `Cannot ask as one question is needed, in quotes: current number is ${args.operands.length}`,
    );
  }
  if (question.trim() === "") throw new UsageError("Cannot ask as the question is empty");
  if (!args.flags.has("memory") && !args.flags.has("document")) {
    throw new UsageError("Cannot ask as there is neither --memory nor --document");
  }
  const form = lastValue(args, "prompt") ?? defaultPrompt;
  if (!form.includes(place)) {
    throw new UsageError(
      `Cannot read --prompt: it must contain ${place}, current value is "${form}"`,
    );
  }
  const tokens = positiveInteger(args, "tokens") ?? 50;
  const source = await openSource(args, output);
  const { tokenizer, contextTokens } = source;
  await using model = await openModel(args, source);
  await fillMemory(model, source, { args, output });
  const prompt = form.replaceAll(place, () => question);
  const ids = tokenizer.encode(prompt);
  noteUnknown("the question", ids, tokenizer, output);
  const answer = generate(model, {
    prompt: [tokenizer.specialIds.bos, ...ids],
    tokens,
    contextTokens,
    temperature: 0,
    allows: textIds(tokenizer),
    end: tokenizer.specialIds.eos,
  });
  const stream = DecodeStream.after(tokenizer, prompt);
  let text = "";
  for await (const id of answer) {
    text += stream.add(id);
    if (/\S.*[\r\n]/.test(text)) break; // the line of the answer has ended
  }
  output.print((text + stream.end()).trim().split(/[\r\n]/)[0]);
  return 0;
}
