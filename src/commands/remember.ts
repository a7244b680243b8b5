import {
  type Command,
  type CommandArguments,
  lastValue,
  newFile,
  type Output,
  reading,
  requiredFlag,
  UsageError,
  writeNewFile,
} from "../command_line.ts";
import { modelFlags, openModel, openSource } from "./model_source.ts";
import { documentFlag, fillMemory } from "./remembered_documents.ts";

/** `remember`: documents in the memory of a model, as a file. */
export function rememberCommand(output: Output): Command {
  return {
    flags: [
      ...modelFlags,
      documentFlag,
      {
        name: "memory",
        value: "FILE",
        isPath: true,
        help: "an earlier memory file, to which the documents are added",
      },
      {
        name: "out",
        value: "FILE",
        isPath: true,
        help: "memory file to write; one that is there already only where it is that of --memory",
      },
    ],
    execute: (args) => remember(args, output),
  };
}

async function remember(args: CommandArguments, output: Output): Promise<number> {
  if (args.operands.length > 0) {
    throw new UsageError(`Cannot remember "${args.operands[0]}" as it follows no flag`);
  }
  requiredFlag(args, "document");
  const memory = lastValue(args, "memory");
  const out = requiredFlag(args, "out");
  if (out !== memory) await newFile(args, "out");
  const source = await openSource(args, output);
  const { tokenizer } = source;
  await using model = await openModel(args, source);
  const texts = await fillMemory(model, source, { args, output });
  const append = out === memory;
  const save = () => reading(() => model.saveMemory(out, { tokenizer, texts, append }));
  await (append ? save() : writeNewFile(out, save));
  const { size } = await reading(() => Deno.stat(out));
  const tokens = source.chunkTokens * model.memoryFillChunks[0];
  output.print(`written to ${out}: ${tokens} tokens in memory, ${size} bytes`);
  return 0;
}
