import { basename } from "node:path";
import {
  type Command,
  type CommandArguments,
  lastValue,
  newFile,
  type Output,
  positiveInteger,
  reading,
  requiredFlag,
  UsageError,
  writeNewFile,
} from "../command_line.ts";
import { writeAtomically } from "../files.ts";
import { inspectDocument } from "../longmem/passages.ts";
import { inspectionPage } from "../results/inspection_page.ts";
import { inspectionEnding } from "../results/read_runs.ts";
import { DecodeStream } from "../text/decode_stream.ts";
import { textOf, type Tokenizer } from "../text/tokenizer.ts";
import { modelFlags, openModel, openSource } from "./model_source.ts";
import { progressReport, readTokens } from "./remembered_documents.ts";

/** Tokens of a page at most, where the command line does not say; browsers show so many without delay. */
const defaultTokens = 16_384;

/** Passages that are kept of each token. */
const passages = 6;

/** `inspect`: a page that shows the memory's effect on each token of a document. */
export function inspectCommand(output: Output): Command {
  return {
    operandsArePaths: true,
    flags: [
      ...modelFlags,
      {
        name: "document",
        value: "FILE",
        isPath: true,
        help: "plain text, also gzipped (.gz), to read",
      },
      {
        name: "tokens",
        value: "N",
        help: `tokens of the document at most (default ${defaultTokens})`,
      },
      {
        name: "out",
        value: "FILE.html",
        isPath: true,
        help:
          "page to write (default the document's name with .memory.html, in the current folder)",
      },
    ],
    execute: (args) => inspect(args, output),
  };
}

async function inspect(given: CommandArguments, output: Output): Promise<number> {
  const args = withRun(given);
  const path = requiredFlag(args, "document");
  const most = positiveInteger(args, "tokens") ?? defaultTokens;
  const name = basename(path).replace(/\.(txt|gz|txt\.gz)$/, "");
  const out = await newFile(args, "out", `${name}${inspectionEnding}`);
  const source = await openSource(args, output);
  const { tokenizer, contextTokens, chunkTokens } = source;
  const { tokens: all } = await readTokens(path, source, output);
  const tokens = all.slice(0, most);
  if (tokens.length < all.length) {
    output.note(
      `${path}: ${all.length} tokens, the first ${most} are shown; --tokens would show more`,
    );
  }
  await using model = await openModel(args, source);
  const progress = progressReport(path, tokens.length, output);
  const options = { contextTokens, chunkTokens, passages, progress };
  const read = await reading(() => inspectDocument(model, tokens, options));
  const page = inspectionPage({
    ...read,
    name: basename(path),
    model: basename(lastValue(args, "run") ?? args.flags.get("backbone")!.at(-1)!),
    texts: textsOf(tokens, tokenizer),
    contextTokens,
    capacityTokens: model.memory.capacityTokens,
  });
  await writeNewFile(out, () => writeAtomically(out, page));
  output.print(`written to ${out}`);
  return 0;
}

/** The run may also be given as the operand. */
function withRun({ operands, flags }: CommandArguments): CommandArguments {
  if (operands.length === 0) return { operands, flags };
  if (operands.length > 1 || flags.has("run")) {
    throw new UsageError(
      `Cannot inspect "${operands.at(-1)}" as one run is inspected at a time`,
    );
  }
  return { operands: [], flags: new Map(flags).set("run", operands) };
}

/** Texts of the tokens, which joined are that of all; a token of a part of a character has none, the last of them all. */
function textsOf(tokens: Int32Array, tokenizer: Tokenizer): string[] {
  const stream = DecodeStream.after(tokenizer, "");
  const texts = Array.from(
    tokens,
    (id) => textOf(tokenizer, id) === undefined ? "" : stream.add(id),
  );
  if (texts.length > 0) texts[texts.length - 1] += stream.end();
  return texts;
}
