// deno-lint-ignore-file no-console -- a program that prints
/**
 * A Hugging Face model with a long memory: reads a text into the memory of a model of the Hub, or of a folder of that format, and
 * compares the likelihood of the text's last segment with the memory and without. Fetch a model once, then name it:
 *
 *     deno task data hf:EleutherAI/pythia-160m
 *     deno run --allow-read --allow-env --allow-ffi --allow-sys examples/hugging_face_model.ts hf:EleutherAI/pythia-160m README.md
 *
 * Without arguments it writes a tiny Llama with random weights and a tokenizer of bytes to a temporary folder (`--allow-write`),
 * and reads this file. Nothing is trained here: the SideNet starts as a copy of the model's blocks, and learns to use the memory
 * only in an adaptation (`train_a_sidenet.ts`, `experiments/models/`).
 */
import { fileURLToPath } from "node:url";
import {
  generate,
  initializeBackbone,
  loadLongMem,
  openTokenizer,
  rememberDocument,
} from "@longmem/lab";
import { readFolderTokenizer } from "../src/checkpoint/folder.ts";
import { huggingFaceTensors, writeHuggingFace } from "../tests/checkpoint/huggingface_folder.ts";

/** What {@linkcode readWithMemory} found. */
export interface Reading {
  /** Tokens of the text. */
  readonly tokens: number;
  /** Tokens that the memory holds in the end. */
  readonly remembered: number;
  /** Mean negative log-likelihood of a token of the last segment, in nats, of the model as it is. */
  readonly alone: number;
  /** The same with what comes before in memory. */
  readonly withMemory: number;
  /** How the text goes on. */
  readonly continuation: string;
}

/**
 * Reads a text of at least two segments.
 *
 * @param model `hf:OWNER/NAME`, which `deno task data` has fetched, or a folder with `config.json` and `model.safetensors`.
 * @param contextTokens Tokens of a segment.
 */
export async function readWithMemory(
  model: string,
  text: string,
  contextTokens = 256,
): Promise<Reading> {
  const source = await readFolderTokenizer(model);
  if (!source) throw new Error(`Cannot read a text with "${model}" as it has no tokenizer.json`);
  const tokenizer = await openTokenizer(source);
  await using longMem = await loadLongMem({
    backbone: model,
    memory: { capacityTokens: 16_384, chunkTokens: 4, retrievedTokens: 64 },
  });
  const ids = Int32Array.from(tokenizer.encode(text));
  const T = contextTokens, before = ids.length - T - 1;
  if (before < T) {
    throw new Error(`Cannot read ${ids.length} tokens: allowed are ${2 * T + 1} or more`);
  }
  await rememberDocument(longMem, ids.subarray(0, before), { contextTokens: T });
  const segment = ids.subarray(before, before + T), targets = ids.subarray(before + 1);
  const nats = async (network: "backbone" | "longmem") => {
    const scores = await longMem.score(segment, targets, { network, readOnly: true });
    return scores.reduce((sum, value) => sum + value, 0) / T;
  };
  const alone = await nats("backbone"), withMemory = await nats("longmem");

  const prompt = ids.subarray(-T / 2), generated: number[] = [];
  const options = { prompt, tokens: 24, contextTokens: T, temperature: 0 };
  for await (const id of generate(longMem, options)) generated.push(id);
  return {
    tokens: ids.length,
    remembered: longMem.memoryFillChunks[0] * longMem.memory.chunkTokens,
    alone,
    withMemory,
    continuation: tokenizer.decode(generated),
  };
}

/** Writes a Llama of 13,472 parameters with random weights, and a tokenizer whose tokens are bytes. */
export async function writeTinyLlama(folder: string): Promise<void> {
  // Bytes as the characters that tokenizers of this kind print them by: printable ones by themselves, others from 256 on.
  let next = 256;
  const bytes = Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = byte >= 33 && byte <= 126 || byte >= 161 && byte !== 173;
    return String.fromCodePoint(isPrintable ? byte : next++);
  });
  const tokens = [...bytes, "<s>"];
  const shape = {
    architecture: "llama",
    layers: 4,
    hiddenDim: 16,
    heads: 2,
    feedForwardDim: 32,
    vocabSize: tokens.length,
    settings: { keyValueHeads: 1, tied: true },
  };
  const weights = initializeBackbone(shape, 1);
  const config = {
    "model_type": "llama",
    "num_hidden_layers": shape.layers,
    "hidden_size": shape.hiddenDim,
    "num_attention_heads": shape.heads,
    "num_key_value_heads": shape.settings.keyValueHeads,
    "intermediate_size": shape.feedForwardDim,
    "vocab_size": shape.vocabSize,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": true,
  };
  await writeHuggingFace(folder, config, huggingFaceTensors({ shape, weights }));
  const byteLevel = { type: "ByteLevel", "add_prefix_space": false };
  const tokenizer = {
    normalizer: null,
    "added_tokens": [{ id: 256, content: "<s>", special: true }],
    "pre_tokenizer": byteLevel,
    decoder: byteLevel,
    model: {
      type: "BPE",
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [],
    },
  };
  await Deno.writeTextFile(`${folder}/tokenizer.json`, JSON.stringify(tokenizer));
  const special = { "bos_token": "<s>", "eos_token": "<s>" };
  await Deno.writeTextFile(`${folder}/tokenizer_config.json`, JSON.stringify(special));
}

if (import.meta.main) {
  const [model, file = fileURLToPath(import.meta.url)] = Deno.args;
  const folder = model ?? await Deno.makeTempDir();
  if (model === undefined) await writeTinyLlama(folder);
  const found = await readWithMemory(folder, await Deno.readTextFile(file));
  console.log(`${found.tokens} tokens, ${found.remembered} of them in memory`);
  console.log(`nats a token of the last segment: ${found.alone.toFixed(3)} by the model alone,`);
  console.log(`${found.withMemory.toFixed(3)} with the memory`);
  console.log(`the text goes on: ${JSON.stringify(found.continuation)}`);
  if (model === undefined) {
    console.log("(these weights are random: name a model to see text)");
    await Deno.remove(folder, { recursive: true });
  }
}
