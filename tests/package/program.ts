/** A program that uses the library as an npm package, or from its sources: the same numbers in Deno, Node and browsers. */
import {
  generate,
  loadLongMem,
  type LongMemModel,
  openTokenizer,
  provideFiles,
  rememberDocument,
  type Tokenizer,
} from "@longmem/lab";

/** Where the program finds its files, and which engine it uses. */
export interface ProgramInput {
  /** Folder of the chronicle's files, a path or an address. */
  readonly folder: string;
  readonly device: "cpu" | "wasm" | "webgpu";
  /** A text of the chronicle. */
  readonly text: string;
  /** Whether the SideNet's files are fetched and provided as bytes and a `Blob`, as a page would that lets its user choose them. */
  readonly provides?: boolean;
  /** A folder to write to, where there is a file system. */
  readonly scratch?: string;
}

/** Numbers of a model with a memory. */
export interface ProgramOutput {
  readonly device: string;
  /** Chunks in the memory. */
  readonly chunks: readonly number[];
  /** Negative log-likelihoods of the last tokens with the memory and without it, in nats. */
  readonly withMemory: readonly number[];
  readonly without: readonly number[];
  /** Ages of the chunks that each head retrieves at each of these tokens, best first. */
  readonly ages: readonly number[];
  /** How the text goes on. */
  readonly continuation: string;
  /** SHA-256 of the memory as a file, whose bytes depend on the engine. */
  readonly memorySha256: string;
  /** Whether a memory read from its bytes scores the same. */
  readonly restoredEqually: boolean;
  /** Errors of a missing and a damaged file. */
  readonly errors: readonly string[];
}

const contextTokens = 64;

/** Path of a SideNet whose files have come another way. */
async function provideSideNet(address: string): Promise<string> {
  const [config, weights] = ["config.json", "sidenet.safetensors"];
  return provideFiles({
    [config]: await (await fetch(`${address}/${config}`)).blob(),
    [weights]: await (await fetch(`${address}/${weights}`)).arrayBuffer(),
  }).path;
}

/** Reads a text into a memory and measures what the model makes of it. */
export async function measure(
  { folder, device, text, provides = false, scratch }: ProgramInput,
): Promise<ProgramOutput> {
  const tokenizer: Tokenizer = await openTokenizer({
    kind: "file",
    path: `${folder}/tokenizer.json`,
  });
  await using model: LongMemModel = await loadLongMem({
    backbone: `${folder}/backbone`,
    sidenet: provides ? await provideSideNet(`${folder}/sidenet`) : `${folder}/sidenet`,
    memory: { capacityTokens: 1024, retrievedTokens: 16 },
    device,
  });
  const ids = Int32Array.from(tokenizer.encode(text));
  const read = 8 * contextTokens;
  const segment = ids.subarray(read, read + contextTokens);
  const targets = ids.subarray(read + 1, read + 1 + contextTokens);
  await rememberDocument(model, ids.subarray(0, read), { contextTokens });
  const chunks = model.memoryFillChunks;
  const readOnly = true;
  const withMemory = await model.score(segment, targets, { readOnly });
  const without = await model.score(segment, targets, { readOnly, network: "backbone" });
  const { ages } = await model.retrieved(segment);
  const continued: number[] = [];
  const options = { prompt: segment.subarray(0, 16), tokens: 12, contextTokens, temperature: 0 };
  for await (const id of generate(model, options)) continued.push(id);

  const bytes = await model.memoryBytes({ tokenizer });
  if (scratch !== undefined) await model.saveMemory(`${scratch}/text.memory`, { tokenizer });
  await model.resetMemory();
  await model.restoreMemory(scratch === undefined ? bytes : `${scratch}/text.memory`, {
    tokenizer,
  });
  const again = await model.score(segment, targets, { readOnly });
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

  using damaged = provideFiles({ "tokenizer.json": new Blob(["{"]) });
  const errors: string[] = [];
  for (const path of [`${folder}/missing.json`, `${damaged.path}/tokenizer.json`]) {
    await openTokenizer({ kind: "file", path }).catch((error: Error) =>
      errors.push(error.message.replace(folder, "FOLDER"))
    );
  }
  return {
    device: model.device.kind,
    chunks,
    withMemory: [...withMemory],
    without: [...without],
    ages: [...ages],
    continuation: tokenizer.decode(continued),
    memorySha256: Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    restoredEqually: again.every((nll, t) => nll === withMemory[t]),
    errors,
  };
}
