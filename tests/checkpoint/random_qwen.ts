/**
 * Writes a model of Qwen2.5-0.5B's shape with random weights, in two files of 16-bit numbers, and runs tokens through it with a
 * memory that is full, on the processor:
 *
 *     deno run --allow-all tests/checkpoint/random_qwen.ts FOLDER
 */
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { writeAtomically } from "../../src/files.ts";
import { Random } from "../../src/random.ts";
import { peakMemoryBytes } from "../../src/results/environment.ts";
import { elementCount } from "../../src/tensor.ts";

/** Sizes of a model of Qwen's kind. */
export interface QwenSizes {
  readonly hidden: number;
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly vocabSize: number;
}

/** Those of Qwen2.5-0.5B, 494 million parameters. */
export const qwenSizes: QwenSizes = {
  hidden: 896,
  inner: 4864,
  layers: 24,
  heads: 14,
  keyValueHeads: 2,
  vocabSize: 151_936,
};

/** What is run: tokens in segments, with a memory behind them. */
export interface QwenRun {
  readonly tokens: number;
  readonly contextTokens: number;
  readonly capacityTokens: number;
}

/** 1,024 tokens after a memory of 65,536 is full. */
const longRun: QwenRun = { tokens: 1024, contextTokens: 1024, capacityTokens: 65_536 };

/** Writes the folder: the first file holds bfloat16, the second float16. */
export async function writeRandomQwen(folder: string, sizes: QwenSizes): Promise<void> {
  const { hidden, inner, layers, heads, keyValueHeads, vocabSize } = sizes;
  await Deno.mkdir(folder, { recursive: true });
  const config = {
    "model_type": "qwen2",
    "hidden_size": hidden,
    "intermediate_size": inner,
    "num_hidden_layers": layers,
    "num_attention_heads": heads,
    "num_key_value_heads": keyValueHeads,
    "vocab_size": vocabSize,
    "max_position_embeddings": 32_768,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1_000_000,
    "hidden_act": "silu",
    "tie_word_embeddings": true,
    "torch_dtype": "bfloat16",
  };
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  const tensors = [...tensorShapes(sizes)];
  const map: Record<string, string> = {};
  for (const [i, dtype] of (["BF16", "F16"] as const).entries()) {
    const name = `model-0000${i + 1}-of-00002.safetensors`;
    const half = Math.ceil(tensors.length / 2);
    const part = tensors.slice(i * half, (i + 1) * half);
    for (const [tensor] of part) map[tensor] = name;
    await writeAtomically(`${folder}/${name}`, randomFile(part, dtype));
  }
  await Deno.writeTextFile(
    `${folder}/model.safetensors.index.json`,
    JSON.stringify({ metadata: {}, "weight_map": map }),
  );
}

function* tensorShapes(
  { hidden, inner, layers, heads, keyValueHeads, vocabSize }: QwenSizes,
): Generator<[name: string, shape: number[]]> {
  const keys = hidden / heads * keyValueHeads;
  yield ["model.embed_tokens.weight", [vocabSize, hidden]];
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    yield [`${prefix}input_layernorm.weight`, [hidden]];
    for (const [name, out] of [["q", hidden], ["k", keys], ["v", keys]] as const) {
      yield [`${prefix}self_attn.${name}_proj.weight`, [out, hidden]];
      yield [`${prefix}self_attn.${name}_proj.bias`, [out]];
    }
    yield [`${prefix}self_attn.o_proj.weight`, [hidden, hidden]];
    yield [`${prefix}post_attention_layernorm.weight`, [hidden]];
    yield [`${prefix}mlp.gate_proj.weight`, [inner, hidden]];
    yield [`${prefix}mlp.up_proj.weight`, [inner, hidden]];
    yield [`${prefix}mlp.down_proj.weight`, [hidden, inner]];
  }
  yield ["model.norm.weight", [hidden]];
}

/** The bytes of a file, a tensor at a time in parts. */
function* randomFile(
  tensors: readonly (readonly [name: string, shape: readonly number[]])[],
  dtype: "BF16" | "F16",
): Generator<Uint8Array<ArrayBuffer>> {
  let end = 0;
  const entries = tensors.map(([name, shape]) => {
    const start = end;
    end += 2 * elementCount(shape);
    return [name, { dtype, shape, "data_offsets": [start, end] }];
  });
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  yield length;
  yield header;
  const random = new Random("qwen");
  const words = (value: () => number) =>
    Uint16Array.from({ length: 4096 }, () => wordOf(value(), dtype));
  const small = words(() => 0.02 * random.normal()), one = wordOf(1, dtype);
  const partWords = 2 ** 22;
  let state = 1;
  for (const [name, shape] of tensors) {
    for (let left = elementCount(shape); left > 0; left -= partWords) {
      const part = new Uint16Array(Math.min(left, partWords));
      for (let i = 0; i < part.length; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        part[i] = small[state & 4095];
      }
      if (name.endsWith("norm.weight")) part.fill(one);
      yield new Uint8Array(part.buffer);
    }
  }
}

/** A number's 16 bits. */
function wordOf(value: number, dtype: "BF16" | "F16"): number {
  return dtype === "F16"
    ? new Uint16Array(Float16Array.of(value).buffer)[0]
    : new Uint32Array(Float32Array.of(value).buffer)[0] >>> 16;
}

/** Loads the folder, fills the memory, and runs the tokens. */
export async function runRandomQwen(
  folder: string,
  { tokens, contextTokens, capacityTokens }: QwenRun,
): Promise<{ loadMs: number; runMs: number; chunks: readonly number[]; logits: Float32Array }> {
  let start = performance.now();
  const elapsed = () => {
    const ms = performance.now() - start;
    start = performance.now();
    return ms;
  };
  const model = await loadLongMem({ backbone: folder, device: "cpu", memory: { capacityTokens } });
  try {
    const loadMs = elapsed();
    const ids = Int32Array.from({ length: contextTokens }, (_, i) => i * 97 % 300);
    for (let read = 0; read < capacityTokens; read += contextTokens) await model.remember(ids);
    elapsed();
    let logits = new Float32Array();
    for (let read = 0; read < tokens; read += contextTokens) {
      ({ logits } = await model.forward(ids, { readOnly: true }) as { logits: typeof logits });
    }
    return { loadMs, runMs: elapsed(), chunks: [...model.memoryFillChunks], logits };
  } finally {
    await model.close();
  }
}

if (import.meta.main) {
  const [folder] = Deno.args;
  await writeRandomQwen(folder, qwenSizes);
  const { loadMs, runMs, chunks } = await runRandomQwen(folder, longRun);
  // deno-lint-ignore no-console -- what the script is for
  console.log(
    `loaded in ${
      (loadMs / 1000).toFixed(1)
    } s; ${longRun.tokens} tokens with ${chunks} chunks in memory in ` +
      `${(runMs / 1000).toFixed(1)} s; peak memory ${(peakMemoryBytes() / 2 ** 30).toFixed(2)} GiB`,
  );
}
