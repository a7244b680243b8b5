/**
 * Writes the trained Llama of 260,000 parameters that llama2.c publishes as a folder of Hugging Face's format:
 *
 *     deno run --allow-read --allow-write tests/checkpoint/stories260k.ts ../shared/data/models/stories260K FOLDER
 *
 * The source has `stories260K.bin` (seven sizes int32, then float32 weights) and `tok512.bin` (tokens with their scores).
 */
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { elementCount, type HostTensor, type TensorMap } from "../../src/tensor.ts";

/** Writes the model in `source` to `target`. */
export async function convertStories(source: string, target: string): Promise<void> {
  await Deno.mkdir(target, { recursive: true });
  const bytes = await Deno.readFile(`${source}/stories260K.bin`);
  const header = new Int32Array(bytes.buffer, 0, 7);
  const [hidden, inner, layers, heads, keyValueHeads, vocabSize, positions] = header;
  const headDim = hidden / heads;
  let offset = header.byteLength;
  const take = (...shape: number[]): HostTensor => {
    const data = new Float32Array(bytes.buffer, offset, elementCount(shape));
    offset += data.byteLength;
    return { shape, data };
  };
  const tensors: TensorMap = new Map([["model.embed_tokens.weight", take(vocabSize, hidden)]]);
  const each = (name: string, shape: number[], arrange = (tensor: HostTensor) => tensor) => {
    for (let layer = 0; layer < layers; layer++) {
      tensors.set(`model.layers.${layer}.${name}.weight`, arrange(take(...shape)));
    }
  };
  // Each kind of weight lies there for all layers, one after the other.
  each("input_layernorm", [hidden]);
  each("self_attn.q_proj", [hidden, hidden], (tensor) => halves(tensor, headDim));
  each("self_attn.k_proj", [keyValueHeads * headDim, hidden], (tensor) => halves(tensor, headDim));
  each("self_attn.v_proj", [keyValueHeads * headDim, hidden]);
  each("self_attn.o_proj", [hidden, hidden]);
  each("post_attention_layernorm", [hidden]);
  each("mlp.gate_proj", [inner, hidden]);
  each("mlp.down_proj", [hidden, inner]);
  each("mlp.up_proj", [inner, hidden]);
  tensors.set("model.norm.weight", take(hidden));
  await writeSafetensors(`${target}/model.safetensors`, tensors);
  await writeJson(`${target}/config.json`, {
    architectures: ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": hidden,
    "intermediate_size": inner,
    "num_hidden_layers": layers,
    "num_attention_heads": heads,
    "num_key_value_heads": keyValueHeads,
    "vocab_size": vocabSize,
    "max_position_embeddings": positions,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10_000,
    "hidden_act": "silu",
    "tie_word_embeddings": true,
    "bos_token_id": 1,
    "eos_token_id": 2,
  });
  const tokens = readTokens(await Deno.readFile(`${source}/tok512.bin`), vocabSize);
  await writeJson(`${target}/tokenizer.json`, tokenizerOf(tokens));
  await writeJson(`${target}/tokenizer_config.json`, {
    "add_bos_token": true,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
  });
}

/** Rows of a head in the order of rotary positions that turn channel i with channel i + D/2, not with its neighbour. */
function halves({ data, shape: [rows, columns] }: HostTensor, headDim: number): HostTensor {
  const arranged = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const channel = row % headDim,
      from = row - channel +
        2 * (channel % (headDim / 2)) + Math.floor(channel / (headDim / 2));
    arranged.set(data.subarray(from * columns, (from + 1) * columns), row * columns);
  }
  return { shape: [rows, columns], data: arranged };
}

interface Token {
  readonly text: string;
  readonly score: number;
}

function readTokens(bytes: Uint8Array, count: number): Token[] {
  const view = new DataView(bytes.buffer);
  let offset = 4; // after the length of the longest
  return Array.from({ length: count }, () => {
    const score = view.getFloat32(offset, true), length = view.getInt32(offset + 4, true);
    const text = new TextDecoder().decode(bytes.subarray(offset + 8, offset + 8 + length));
    offset += 8 + length;
    return { text: text.trim() === "<s>" || text.trim() === "</s>" ? text.trim() : text, score };
  });
}

/** A byte-level fallback, then merges: of neighbours that make a token the one with the highest score comes first. */
function tokenizerOf(tokens: readonly Token[]): object {
  const written = tokens.map(({ text }) => text.replaceAll(" ", space));
  const ids = new Map(written.map((token, id) => [token, id]));
  const merges: { readonly pair: readonly [string, string]; readonly score: number }[] = [];
  for (const [id, token] of written.entries()) {
    if (id < firstText) continue;
    const characters = Array.from(token);
    for (let cut = 1; cut < characters.length; cut++) {
      const left = characters.slice(0, cut).join(""), right = characters.slice(cut).join("");
      if (!ids.has(left) || !ids.has(right)) continue;
      merges.push({ pair: [left, right], score: tokens[id].score });
    }
  }
  merges.sort((a, b) => b.score - a.score);
  return {
    version: "1.0",
    "added_tokens": ["<unk>", "<s>", "</s>"].map((content, id) => ({ id, content, special: true })),
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: space },
        { type: "Replace", pattern: { String: " " }, content: space },
      ],
    },
    "pre_tokenizer": null,
    "post_processor": null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: space }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      "unk_token": "<unk>",
      "byte_fallback": true,
      "fuse_unk": true,
      vocab: Object.fromEntries(ids),
      merges: merges.map(({ pair }) => pair),
    },
  };
}

const space = "\u2581";

/** The first token that is no special one and no byte. */
const firstText = 3 + 256;

async function writeJson(path: string, value: object): Promise<void> {
  await Deno.writeTextFile(path, `${JSON.stringify(value, null, 2)}\n`);
}

if (import.meta.main) {
  const [source, target] = Deno.args;
  await convertStories(source, target);
}
