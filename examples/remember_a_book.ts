// deno-lint-ignore-file no-console -- a program that prints
/**
 * Remembers a book and asks about it: reads the first part of a book into the memory of a small LongMem, then asks facts that
 * the second part tells again, with the memory and without, and goes on with the text.
 *
 *     deno run --allow-read --allow-env --allow-ffi --allow-sys examples/remember_a_book.ts
 *
 * The backbone is the one that the repository ships; nothing is trained, as a SideNet that starts as a copy of its blocks can
 * read a memory already. The book is of the backbone's invented world. For a model and text of your own, take the path of a
 * checkpoint and the ids of its tokenizer.
 */
import { fileURLToPath } from "node:url";
import {
  askPrompts,
  generate,
  languageModel,
  loadLongMem,
  openTokenizer,
  rememberDocument,
} from "@longmem/lab";
import { defaultChronicle } from "../src/text/chronicle/config.ts";
import { writeBook } from "../src/text/chronicle/book.ts";

/** Tokens that the model sees at once; the book is far longer. */
const contextTokens = 128;

/** What {@linkcode rememberABook} found. */
export interface Recalled {
  /** Facts asked. */
  readonly asked: number;
  /** Facts named with the book in memory. */
  readonly withMemory: number;
  /** Facts named by the frozen backbone, which sees the prompt alone. */
  readonly withoutMemory: number;
  /** How the text goes on. */
  readonly continuation: string;
}

/** Reads a book, asks about it, and goes on with it. */
export async function rememberABook(seed: number): Promise<Recalled> {
  const tokenizer = await openTokenizer({ kind: "chronicle" });
  await using model = await loadLongMem({
    backbone: fileURLToPath(new URL("../data/chronicle/backbone", import.meta.url)),
    sideNetShape: { reductionFactor: 2, memoryBlock: 2 },
    initialization: { kind: "blocks", blocks: [0, 2] },
    memory: { capacityTokens: 4096, chunkTokens: 4, retrievedTokens: 64 },
    device: "cpu",
  });

  const { tokens, recalls } = writeBook(defaultChronicle, seed);
  const read = 16 * contextTokens;
  // Facts that were told in what is read, and are told again after it: prompts are the 32 tokens before the answer.
  const facts = recalls.filter(({ position, lastMention }) =>
    lastMention < read && position > read + 32 && position < read + 1024
  );
  const prompts = facts.map(({ position }) => ({
    tokens: Int32Array.from(tokens.slice(position - 32, position + 1)),
    scored: 1,
  }));
  const reading = Array.from(
    { length: read / contextTokens },
    (_, i) => Int32Array.from(tokens.slice(i * contextTokens, (i + 1) * contextTokens)),
  );
  const named = async (network: "longmem" | "backbone") => {
    const scored = languageModel(network, model, network);
    const options = { rows: 1, memory: "per-row", pad: tokenizer.specialIds.pad! } as const;
    const [answers] = await askPrompts(scored, [{ reading, prompts }], options);
    return answers.filter(({ choices }, i) => choices[0] === facts[i].answer).length;
  };
  const withMemory = await named("longmem"), withoutMemory = await named("backbone");

  // The same by hand: a document into the memory, then text from it.
  await model.resetMemory();
  await rememberDocument(model, Int32Array.from(tokens.slice(0, read)), { contextTokens });
  const prompt = tokens.slice(read, read + 32);
  const ids: number[] = [];
  const options = { prompt, tokens: 24, contextTokens, temperature: 0 };
  for await (const id of generate(model, options)) ids.push(id);
  return { asked: facts.length, withMemory, withoutMemory, continuation: tokenizer.decode(ids) };
}

if (import.meta.main) {
  const { asked, withMemory, withoutMemory, continuation } = await rememberABook(1);
  console.log(`facts of the book named: ${withMemory} of ${asked} with it in memory,`);
  console.log(`${withoutMemory} by the backbone alone, which does not see it`);
  console.log(`the text goes on: ${continuation}`);
}
