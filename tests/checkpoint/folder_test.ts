import {
  readBackboneFolder,
  readFolderTokenizer,
  readLongMemFolder,
  writeBackboneFolder,
  writeLongMemFolder,
} from "../../src/checkpoint/folder.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { hashTensors } from "../../src/formats/tensor_hash.ts";
import { assert, test } from "../testing.ts";
import { withFolder } from "../temporary_folder.ts";
import {
  backboneShape,
  backboneWeights,
  memory,
  sideNetShape,
  sideNetWeights,
} from "./tiny_models.ts";

const backbone = { shape: backboneShape, contextTokens: 32, weights: backboneWeights };
const sideNet = { shape: sideNetShape, weights: sideNetWeights };

test("readBackboneFolder() returns what writeBackboneFolder() wrote", () =>
  withFolder(async (folder) => {
    await writeBackboneFolder(`${folder}/a/b`, backbone);
    assert.deepEqual(await readBackboneFolder(`${folder}/a/b`), backbone);
    const bare = { shape: backboneShape, weights: backboneWeights };
    await writeBackboneFolder(`${folder}/c`, bare);
    assert.deepEqual(await readBackboneFolder(`${folder}/c`), bare);
  }));

test("writeBackboneFolder() gives equal bytes for equal input", () =>
  withFolder(async (folder) => {
    await writeBackboneFolder(`${folder}/a`, backbone);
    const reversed = new Map([...backboneWeights].reverse());
    await writeBackboneFolder(`${folder}/b`, { ...backbone, weights: reversed });
    for (const name of ["config.json", "backbone.safetensors"]) {
      const [a, b] = [
        await Deno.readFile(`${folder}/a/${name}`),
        await Deno.readFile(`${folder}/b/${name}`),
      ];
      assert.deepEqual(a, b);
    }
  }));

test("readLongMemFolder() returns what writeLongMemFolder() wrote, with the hash of the backbone", () =>
  withFolder(async (folder) => {
    const backboneHash = hashTensors(backboneWeights);
    await writeLongMemFolder(folder, { backbone, sideNet, memory });
    assert.deepEqual(await readLongMemFolder(folder), { backbone, sideNet, memory, backboneHash });
    assert.deepEqual(await readBackboneFolder(folder), backbone);
    const { backbone: withoutWeights } = await readLongMemFolder(folder, {
      backboneWeights: false,
    });
    assert.deepEqual(withoutWeights, { shape: backboneShape, contextTokens: 32 });
  }));

test("writeLongMemFolder() may leave the backbone out and name it by its hash", () =>
  withFolder(async (folder) => {
    const backboneHash = "ab".repeat(32);
    const longMem = { backbone: { shape: backboneShape }, sideNet, memory, backboneHash };
    await writeLongMemFolder(folder, longMem);
    assert.deepEqual(await readLongMemFolder(folder), longMem);
    await assert.rejects(
      readBackboneFolder(folder),
      /leaves its backbone out: "backbone\.safetensors" is missing, the hash of its tensors is abab/,
    );
  }));

test("writeBackboneFolder() and writeLongMemFolder() refuse weights of another shape before writing", () =>
  withFolder(async (folder) => {
    const fewer = new Map([...backboneWeights].slice(1));
    await assert.rejects(
      writeBackboneFolder(`${folder}/a`, { ...backbone, weights: fewer }),
      /Cannot write ".*\/a\/backbone\.safetensors" as tensor "transformer\.wte\.weight" of shape \[5,6\] is missing/,
    );
    const wrong = { ...sideNet, weights: backboneWeights };
    await assert.rejects(
      writeLongMemFolder(`${folder}/a`, { backbone, sideNet: wrong, memory }),
      /Cannot write ".*sidenet\.safetensors" as tensor "layers\.0\./,
    );
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  }));

test("readBackboneFolder() refuses weights that are not the recorded ones, naming both hashes", () =>
  withFolder(async (folder) => {
    await writeBackboneFolder(folder, backbone);
    const other = new Map(backboneWeights);
    other.set("lm_head.bias", { shape: [5], data: new Float32Array(5) });
    await writeSafetensors(`${folder}/backbone.safetensors`, other);
    await assert.rejects(
      readBackboneFolder(folder),
      /backbone\.safetensors" as it is not the file that "config\.json" records: expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}/,
    );
    // Without a record it is taken as it is.
    await editConfig(folder, (config) => delete config.files);
    assert.deepEqual((await readBackboneFolder(folder)).weights, other);
  }));

test("readLongMemFolder() says which file is missing", () =>
  withFolder(async (folder) => {
    await writeLongMemFolder(folder, { backbone, sideNet, memory });
    await Deno.remove(`${folder}/backbone.safetensors`);
    await assert.rejects(readLongMemFolder(folder), {
      message: `Cannot read "${folder}/backbone.safetensors" as there is no such file`,
    });
    await Deno.remove(`${folder}/sidenet.safetensors`);
    await assert.rejects(readLongMemFolder(folder, { backboneWeights: false }), {
      message: `Cannot read "${folder}/sidenet.safetensors" as there is no such file`,
    });
  }));

// deno-lint-ignore no-explicit-any -- tests spoil fields of any kind
type Spoilt = Record<string, any>;

const refused: { name: string; spoil: (config: Spoilt) => void; message: RegExp }[] = [
  {
    name: "another format",
    spoil: (config) => config.format = "pytorch",
    message:
      /config\.json" as format is not supported: current value is "pytorch", allowed are "longmem-lab"/,
  },
  {
    name: "a later version",
    spoil: (config) => config.version = 2,
    message: /version is not supported: current value is 2, allowed are 1/,
  },
  {
    name: "more layers than any model has",
    spoil: (config) => config.backbone.layers = 1e9,
    message: /layers must be at most 10000: current value is 1000000000/,
  },
  {
    name: "another kind",
    spoil: (config) => config.kind = "sidenet",
    message: /kind is not supported: current value is "sidenet", allowed are "backbone", "longmem"/,
  },
  {
    name: "a misspelled key",
    spoil: (config) => config.contextToken = 5,
    message:
      /as contextToken is unknown: allowed are format, version.* \(did you mean "contextTokens"\?\)/,
  },
  {
    name: "a misspelled key inside",
    spoil: (config) => config.memory.chunktokens = 5,
    message:
      /as memory\.chunktokens is unknown: allowed are capacityTokens, .* \(did you mean "chunkTokens"\?\)/,
  },
  {
    name: "a key like no other",
    spoil: (config) => config.sideNet.dropout = 5,
    message: /as sideNet\.dropout is unknown: allowed are layers, reductionFactor, memoryBlock/,
  },
  {
    name: "a file outside of the folder",
    spoil: (config) => config.files["../backbone.safetensors"] = "0".repeat(64),
    message:
      /as files\.\.\.\/backbone\.safetensors is unknown: .* \(did you mean "backbone\.safetensors"\?\)/,
  },
  {
    name: "a missing size",
    spoil: (config) => delete config.backbone.heads,
    message: /as backbone\.heads is missing: allowed are positive integers/,
  },
  {
    name: "a size that is not whole",
    spoil: (config) => config.memory.chunkTokens = 2.5,
    message:
      /memory\.chunkTokens has a wrong value: current value is 2\.5, allowed are positive integers/,
  },
  {
    name: "a hash of another length",
    spoil: (config) => config.backboneHash = "abc",
    message: /backboneHash has a wrong value: current value is "abc", allowed are SHA-256 hashes/,
  },
  {
    name: "heads that do not divide the width",
    spoil: (config) => config.backbone.heads = 4,
    message: /config\.json" as hiddenDim must be a multiple of heads: current values are 6 and 4/,
  },
  {
    name: "SideNet layers that do not cover the backbone",
    spoil: (config) => config.sideNet.layers = 3,
    message: /must be the backbone's layers: current values are 3 and 2, the backbone has 4/,
  },
  {
    name: "weights of another shape than declared",
    spoil: (config) => config.backbone.vocabSize = 6,
    message: /transformer\.wte\.weight" has another shape: expected \[6,6\], found \[5,6\]/,
  },
];

for (const { name, spoil, message } of refused) {
  test(`readLongMemFolder() refuses ${name}`, () =>
    withFolder(async (folder) => {
      await writeLongMemFolder(folder, { backbone, sideNet, memory });
      await editConfig(folder, spoil);
      await assert.rejects(readLongMemFolder(folder), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.includes(folder), error.message);
        return true;
      });
    }));
}

test("readBackboneFolder() refuses a configuration that is not JSON, or is no object", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.json`, "{");
    await assert.rejects(readBackboneFolder(folder), /config\.json" as it is not JSON/);
    for (const text of ["null", "[]", "3"]) {
      await Deno.writeTextFile(`${folder}/config.json`, text);
      await assert.rejects(
        readBackboneFolder(folder),
        /format is not supported: current value is undefined/,
      );
    }
  }));

async function editConfig(folder: string, edit: (config: Spoilt) => void): Promise<void> {
  const path = `${folder}/config.json`;
  const config = JSON.parse(await Deno.readTextFile(path));
  edit(config);
  await Deno.writeTextFile(path, JSON.stringify(config));
}

test("folders carry the tokenizer of their model, whatever its kind", () =>
  withFolder(async (folder) => {
    const official = `${folder}/official`;
    await Deno.mkdir(official);
    for (const name of ["encoder.json", "vocab.bpe", "dict.txt", "own.json"]) {
      await Deno.writeTextFile(`${official}/${name}`, `the bytes of ${name}`);
    }
    const specialTokens = { bos: "<|start|>", pad: "<|pad|>" };
    const sources = [
      { kind: "gpt2", folder: official },
      { kind: "file", path: `${official}/own.json` },
      { kind: "file", path: `${official}/own.json`, specialTokens },
      { kind: "chronicle" },
      undefined,
    ] as const;
    for (const [i, tokenizer] of sources.entries()) {
      const paths = { backbone: `${folder}/b${i}`, longMem: `${folder}/l${i}` };
      await writeBackboneFolder(paths.backbone, backbone, { tokenizer });
      await writeLongMemFolder(paths.longMem, { backbone, sideNet, memory }, { tokenizer });
      assert.deepEqual(await readBackboneFolder(paths.backbone), backbone);
      assert.deepEqual((await readLongMemFolder(paths.longMem)).backbone, backbone);
      for (const path of Object.values(paths)) {
        const found = await readFolderTokenizer(path);
        switch (tokenizer?.kind) {
          case "gpt2":
            assert.deepEqual(found, { kind: "gpt2", folder: path });
            for (const name of ["encoder.json", "vocab.bpe", "dict.txt"]) {
              const text = await Deno.readTextFile(`${path}/${name}`);
              assert.equal(text, `the bytes of ${name}`);
            }
            break;
          case "file":
            assert.deepEqual(found, { ...tokenizer, path: `${path}/tokenizer.json` });
            assert.equal(
              await Deno.readTextFile(`${path}/tokenizer.json`),
              "the bytes of own.json",
            );
            break;
          default:
            assert.deepEqual(found, tokenizer);
        }
      }
    }
    assert.equal(await readFolderTokenizer(`${official}/own.json`), undefined);
    assert.equal(await readFolderTokenizer(official), undefined);
    await assert.rejects(
      writeBackboneFolder(`${folder}/new`, backbone, {
        tokenizer: { kind: "file", path: `${folder}/nowhere.json` },
      }),
      /Cannot read ".*nowhere\.json" as there is no such file/,
    );
  }));

for (
  const { config, architecture } of [
    {
      config: { architectures: ["LlamaForCausalLM"], model_type: "llama" },
      architecture: "LlamaForCausalLM",
    },
    { config: { architectures: ["GPT2LMHeadModel"] }, architecture: "GPT2LMHeadModel" },
    { config: { model_type: "gpt2", n_embd: 768 }, architecture: "gpt2" },
  ]
) {
  test(`reading a folder of Hugging Face names its architecture ${architecture}`, () =>
    withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
      assert.equal(await readFolderTokenizer(folder), undefined);
      await Deno.writeTextFile(`${folder}/tokenizer.json`, "{}");
      assert.deepEqual(await readFolderTokenizer(folder), {
        kind: "file",
        path: `${folder}/tokenizer.json`,
      });
      for (const read of [readBackboneFolder, readLongMemFolder]) {
        await assert.rejects(read(folder), {
          name: "TypeError",
          message:
            `Cannot read folder "${folder}" as a checkpoint as its "config.json" is one of Hugging Face, ` +
            `of a model of architecture ${architecture}: allowed is format "longmem-lab"`,
        });
      }
    }));
}
