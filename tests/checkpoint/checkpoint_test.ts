import {
  loadBackboneWeights,
  loadCheckpoint,
  loadSideNetWeights,
  recogniseCheckpoint,
  sideNetMetadata,
} from "../../src/checkpoint/checkpoint.ts";
import { writeBackboneFolder, writeLongMemFolder } from "../../src/checkpoint/folder.ts";
import { type IntegerTensor, writeSafetensors } from "../../src/formats/safetensors.ts";
import { hashTensors } from "../../src/formats/tensor_hash.ts";
import type { HostTensor, TensorMap } from "../../src/tensor.ts";
import { assert, fixturePath, sharedTest, test } from "../testing.ts";
import { withFolder } from "../temporary_folder.ts";
import {
  backboneShape,
  backboneWeights,
  fairseqBackboneBytes,
  fairseqLongMemBytes,
  memory,
  sideNetShape,
  sideNetWeights,
} from "./tiny_models.ts";

const prefixed = (prefix: string, weights: TensorMap): TensorMap =>
  new Map([...weights].map(([name, tensor]) => [prefix + name, tensor]));

const sideNet = { shape: sideNetShape, weights: sideNetWeights };
const backboneHash = hashTensors(backboneWeights);

test("loadBackboneWeights() reads every format by content, whatever the name", () =>
  withFolder(async (folder) => {
    const path = `${folder}/weights`;
    const bare = { shape: backboneShape, weights: backboneWeights };
    const full = { ...bare, contextTokens: 32 };

    await Deno.writeFile(`${path}.safetensors`, fairseqBackboneBytes());
    assert.deepEqual(await loadBackboneWeights(`${path}.safetensors`), full);
    await Deno.writeFile(`${path}.bin`, fairseqLongMemBytes());
    assert.deepEqual(await loadBackboneWeights(`${path}.bin`), full);
    await writeBackboneFolder(`${path}.pt`, full);
    assert.deepEqual(await loadBackboneWeights(`${path}.pt`), full);
    const longMem = { backbone: full, sideNet, memory };
    await writeLongMemFolder(`${path}.longmem`, longMem);
    assert.deepEqual(await loadBackboneWeights(`${path}.longmem`), full);
    for (const prefix of ["", "decoder.model."]) {
      await writeSafetensors(path, prefixed(prefix, backboneWeights));
      assert.deepEqual(await loadBackboneWeights(path, { shape: { heads: 3 } }), bare);
    }
  }));

test("loadBackboneWeights() checks the shape that is asked for", () =>
  withFolder(async (folder) => {
    const path = `${folder}/backbone.pt`;
    await Deno.writeFile(path, fairseqBackboneBytes());
    await loadBackboneWeights(path, { shape: backboneShape });
    await assert.rejects(
      loadBackboneWeights(path, { shape: { heads: 3, layers: 5 } }),
      /backbone\.pt" as its layers is another one: expected 5, found 4/,
    );
  }));

test("loadBackboneWeights() refuses bare tensors that are no backbone, or whose heads are unknown", () =>
  withFolder(async (folder) => {
    const path = `${folder}/some.safetensors`;
    const shape = { heads: 3 };
    await writeSafetensors(path, backboneWeights);
    await assert.rejects(
      loadBackboneWeights(path),
      /do not say how many heads .* give shape\.heads/,
    );
    await assert.rejects(
      loadBackboneWeights(path, { shape: { heads: 4 } }),
      /hiddenDim must be a multiple of heads: current values are 6 and 4/,
    );
    await assert.rejects(
      loadBackboneWeights(path, { shape: { heads: 3, vocabSize: 9 } }),
      /its vocabSize is another one: expected 9, found 5/,
    );
    await writeSafetensors(path, sideNetWeights);
    await assert.rejects(
      loadBackboneWeights(path, { shape }),
      /official names are missing: expected "\[decoder\.model\.\]transformer\.wte\.weight" .* found layer_norm/,
    );
    await writeSafetensors(path, new Map([...backboneWeights].slice(0, -1)));
    await assert.rejects(
      loadBackboneWeights(path, { shape }),
      /tensor "lm_head\.bias" of shape \[5\] is missing/,
    );
    const both = prefixed("decoder.model.", backboneWeights);
    both.set("lm_head.bias", backboneWeights.get("lm_head.bias")!);
    await writeSafetensors(path, both);
    await assert.rejects(
      loadBackboneWeights(path, { shape }),
      /tensor "lm_head\.bias" of shape \[5\] is not part of the model/,
    );
    const integers = { shape: [5], data: new Int32Array(5) };
    const mixed = new Map<string, HostTensor | IntegerTensor>(backboneWeights);
    await writeSafetensors(path, mixed.set("lm_head.bias", integers));
    await assert.rejects(
      loadBackboneWeights(path, { shape }),
      /tensor "lm_head\.bias" must be floating-point: it is integer/,
    );
  }));

test("loadSideNetWeights() reads every format by content", () =>
  withFolder(async (folder) => {
    const path = `${folder}/sidenet`;
    await Deno.writeFile(`${path}.x`, fairseqLongMemBytes());
    assert.deepEqual(await loadSideNetWeights(`${path}.x`, backboneShape), { ...sideNet, memory });
    const backbone = { shape: backboneShape, weights: backboneWeights };
    await writeLongMemFolder(`${path}.folder`, { backbone, sideNet, memory });
    assert.deepEqual(
      await loadSideNetWeights(`${path}.folder`, backboneShape, { backboneHash }),
      { ...sideNet, memory, backboneHash },
    );
    for (const prefix of ["", "decoder."]) {
      await writeSafetensors(path, prefixed(prefix, sideNetWeights));
      const shape = { memoryBlock: 3 };
      assert.deepEqual(await loadSideNetWeights(path, backboneShape, { shape }), sideNet);
    }
  }));

test("A SideNet without the cross-network residual is read as such, from a folder and from bare tensors", () =>
  withFolder(async (folder) => {
    const path = `${folder}/sidenet`;
    const shape = { ...sideNet.shape, crossNetworkResidual: false };
    const without = { shape, weights: sideNetWeights };
    const backbone = { shape: backboneShape, weights: backboneWeights };
    await writeLongMemFolder(`${path}.folder`, { backbone, sideNet: without, memory });
    assert.deepEqual((await loadSideNetWeights(`${path}.folder`, backboneShape)).shape, shape);
    await writeSafetensors(path, sideNetWeights, sideNetMetadata(without));
    assert.deepEqual((await loadSideNetWeights(path, backboneShape)).shape, shape);
    await writeSafetensors(path, sideNetWeights);
    assert.deepEqual((await loadSideNetWeights(path, backboneShape, { shape })).shape, shape);
  }));

test("A SideNet's last residual is read from a folder and from bare tensors, and may not be another", () =>
  withFolder(async (folder) => {
    const path = `${folder}/sidenet`;
    const shape = { ...sideNet.shape, lastResidual: "raw" } as const;
    const raw = { shape, weights: sideNetWeights };
    const backbone = { shape: backboneShape, weights: backboneWeights };
    await writeLongMemFolder(`${path}.folder`, { backbone, sideNet: raw, memory });
    assert.deepEqual((await loadSideNetWeights(`${path}.folder`, backboneShape)).shape, shape);
    await writeSafetensors(path, sideNetWeights, sideNetMetadata(raw));
    assert.deepEqual((await loadSideNetWeights(path, backboneShape)).shape, shape);
    const normed = { shape: { lastResidual: "final-norm" } } as const;
    const other = /its lastResidual is another one: expected "final-norm", found "raw"/;
    await assert.rejects(loadSideNetWeights(path, backboneShape, normed), other);
    await assert.rejects(loadSideNetWeights(`${path}.folder`, backboneShape, normed), other);
    await writeSafetensors(path, sideNetWeights);
    assert.deepEqual((await loadSideNetWeights(path, backboneShape, { shape })).shape, shape);
    await Deno.writeFile(`${path}.pt`, fairseqLongMemBytes());
    await loadSideNetWeights(`${path}.pt`, backboneShape, normed); // as released
    await assert.rejects(
      loadSideNetWeights(`${path}.pt`, backboneShape, { shape: { lastResidual: "raw" } }),
      /its lastResidual is another one: expected "raw", found "final-norm"/,
    );
  }));

test("loadSideNetWeights() refuses an official SideNet beside another backbone than its own", () =>
  withFolder(async (folder) => {
    const path = `${folder}/longmem.pt`;
    await Deno.writeFile(path, fairseqLongMemBytes());
    assert.deepEqual(
      await loadSideNetWeights(path, backboneShape, { backboneHash }),
      { ...sideNet, memory, backboneHash },
    );
    const name = "transformer.h.1.attn.k_proj.weight";
    const { shape, data } = backboneWeights.get(name)!;
    const rounded = { shape, data: data.map((x) => Math.fround(x + 1e-3)) };
    const other = new Map(backboneWeights).set(name, rounded);
    await assert.rejects(
      loadSideNetWeights(path, backboneShape, { backboneHash: hashTensors(other) }),
      /longmem\.pt" as it was trained on another backbone: .* contains its own, which can be loaded as backbone$/,
    );
  }));

test("loadSideNetWeights() refuses what does not fit the backbone or the request", () =>
  withFolder(async (folder) => {
    const path = `${folder}/sidenet`;
    const wide = { ...backboneShape, hiddenDim: 12 };
    await Deno.writeFile(`${path}.pt`, fairseqLongMemBytes());
    await assert.rejects(
      loadSideNetWeights(`${path}.pt`, wide),
      /sidenet\.pt" as its hiddenDim is another one: expected 12, found 6/,
    );
    await assert.rejects(
      loadSideNetWeights(`${path}.pt`, backboneShape, { shape: { memoryBlock: 2 } }),
      /its memoryBlock is another one: expected 2, found 3/,
    );
    await Deno.writeFile(`${folder}/backbone.pt`, fairseqBackboneBytes());
    await assert.rejects(
      loadSideNetWeights(`${folder}/backbone.pt`, backboneShape),
      /it is a checkpoint of a backbone alone/,
    );

    const backbone = { shape: backboneShape, weights: backboneWeights };
    await writeLongMemFolder(`${path}.folder`, { backbone, sideNet, memory });
    await assert.rejects(
      loadSideNetWeights(`${path}.folder`, wide),
      /its hiddenDim is another one: expected 12, found 6/,
    );
    await assert.rejects(
      loadSideNetWeights(`${path}.folder`, backboneShape, { backboneHash: "0".repeat(64) }),
      new RegExp(`trained on another backbone: expected one with hash ${backboneHash}, found 000`),
    );
    await writeBackboneFolder(`${folder}/backbone`, backbone);
    await assert.rejects(
      loadSideNetWeights(`${folder}/backbone`, backboneShape),
      /kind must be "longmem": current value is "backbone"/,
    );

    await writeSafetensors(path, sideNetWeights);
    await assert.rejects(
      loadSideNetWeights(path, backboneShape),
      /do not say which block .* is cached: give shape\.memoryBlock/,
    );
    await assert.rejects(
      loadSideNetWeights(path, backboneShape, { shape: { memoryBlock: 1 } }),
      /tensor "layers\.0\.self_attn\.memory_bias" of shape \[3\] is missing/,
    );
    await assert.rejects(
      loadSideNetWeights(path, { ...backboneShape, layers: 5 }, { shape: { memoryBlock: 3 } }),
      /its layers must divide the backbone's: current values are 2 and 5/,
    );
    await assert.rejects(
      loadSideNetWeights(path, wide, { shape: { memoryBlock: 3 } }),
      /has another shape: expected \[12,12\], found \[6,6\]/,
    );
    await writeSafetensors(path, backboneWeights);
    await assert.rejects(
      loadSideNetWeights(path, backboneShape, { shape: { memoryBlock: 3 } }),
      /official names are missing: expected "\[decoder\.\]layers\.0\.self_attn\.k_proj\.weight"/,
    );
  }));

const text = (content: string) => new TextEncoder().encode(content);
const foreign: { name: string; bytes: Uint8Array; message: RegExp }[] = [
  { name: "an empty file", bytes: new Uint8Array(0), message: /as it is an empty file: expected/ },
  {
    name: "an HTML page",
    bytes: text("\n<!DOCTYPE html><html><title>404</title>"),
    message: /an HTML or XML page of 40 bytes, perhaps an error message of a download/,
  },
  {
    name: "a git-LFS pointer",
    bytes: text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1628358656\n"),
    message:
      /a git-LFS pointer of 73 bytes to a file of 1628358656 bytes \(fetch it with "git lfs pull"\)/,
  },
  {
    name: "a bare pickle",
    bytes: new Uint8Array([0x80, 4, 0x4e, 0x2e]),
    message: /a bare pickle, torch's format before version 1\.6 or none of torch/,
  },
  { name: "a compressed file", bytes: new Uint8Array([0x1f, 0x8b, 8, 0]), message: /gzip data/ },
  { name: "JSON", bytes: text('{"format": "longmem-lab"}'), message: /JSON of 25 bytes/ },
  {
    name: "another format",
    bytes: text("GGUF\u0003\0\0\0\0\0\0"),
    message: /none of the known formats, 11 bytes that begin with 47 47 55 46 03 00 00 00/,
  },
  {
    name: "a truncated safetensors file",
    bytes: text('\u0040\0\0\0\0\0\0\0{"x":'),
    message: /truncated in its header: expected at least 72 bytes, found 13/,
  },
  {
    name: "a truncated torch checkpoint",
    bytes: fairseqBackboneBytes().subarray(0, 1000),
    message:
      /is truncated: a zip archive ends with its directory, and none is found in its 1000 bytes/,
  },
];

for (const { name, bytes, message } of foreign) {
  test(`loadBackboneWeights() says that it found ${name}`, () =>
    withFolder(async (folder) => {
      const path = `${folder}/model.pt`;
      await Deno.writeFile(path, bytes);
      await assert.rejects(loadBackboneWeights(path, { shape: { heads: 1 } }), (error: Error) => {
        assert.match(error.message, message);
        assert.ok(error.message.includes(path), error.message);
        return true;
      });
    }));
}

test("loadBackboneWeights() says that there is no such file, and that a folder is no checkpoint", () =>
  withFolder(async (folder) => {
    await assert.rejects(loadBackboneWeights(`${folder}/missing`), {
      name: "NotFound",
      message: `Cannot read "${folder}/missing" as there is no such file`,
    });
    await assert.rejects(loadBackboneWeights(folder), {
      name: "NotFound",
      message:
        `Cannot read a checkpoint in folder "${folder}" as "config.json" is missing: allowed are folders of ` +
        `Hugging Face and of "deno task import", which takes finished runs, .pt and safetensors files`,
    });
  }));

sharedTest(
  "loadBackboneWeights() and loadSideNetWeights() read the fixtures' files alike",
  async () => {
    const torch = await loadBackboneWeights(fixturePath("backbone.pt"));
    const bare = await loadBackboneWeights(fixturePath("backbone.safetensors"), {
      shape: torch.shape,
    });
    assert.equal(hashTensors(bare.weights), hashTensors(torch.weights));
    const sideNet = await loadSideNetWeights(fixturePath("longmem.pt"), torch.shape);
    const bareSideNet = await loadSideNetWeights(fixturePath("sidenet.safetensors"), torch.shape, {
      shape: { memoryBlock: 5 },
    });
    assert.deepEqual(bareSideNet.shape, sideNet.shape);
    assert.equal(hashTensors(bareSideNet.weights), hashTensors(sideNet.weights));
    assert.equal(await recogniseCheckpoint(fixturePath("longmem.pt")), "torch");
    assert.equal(await recogniseCheckpoint(fixturePath("sidenet.safetensors")), "safetensors");
  },
);

test("checkpoints that are pipes, devices or circles of links are refused at once, by name", () =>
  withFolder(async (folder) => {
    const bare = { shape: backboneShape, weights: backboneWeights };
    const pipe = async (path: string) => {
      assert.ok((await new Deno.Command("mkfifo", { args: [path] }).output()).success);
    };
    await pipe(`${folder}/pipe.pt`);
    await Deno.symlink("/dev/zero", `${folder}/device.safetensors`);
    await Deno.symlink(`${folder}/circle.pt`, `${folder}/circle.pt`);
    for (const name of ["config.json", "backbone.safetensors"]) {
      await writeBackboneFolder(`${folder}/${name}`, bare);
      await Deno.remove(`${folder}/${name}/${name}`);
      await pipe(`${folder}/${name}/${name}`);
    }
    const expected = {
      "pipe.pt": ["pipe.pt", "it is not a regular file: it is a named pipe"],
      "device.safetensors": ["device.safetensors", "it is not a regular file: it is a device"],
      "circle.pt": ["circle.pt", "its symbolic links form a circle"],
      "config.json": ["config.json/config.json", "it is not a regular file: it is a named pipe"],
      "backbone.safetensors": [
        "backbone.safetensors/backbone.safetensors",
        "it is not a regular file: it is a named pipe",
      ],
    };
    for (const [name, [file, reason]] of Object.entries(expected)) {
      const message = `Cannot read "${folder}/${file}" as ${reason}`;
      for (const load of [loadBackboneWeights, loadCheckpoint]) {
        await assert.rejects(load(`${folder}/${name}`), { message });
      }
      await assert.rejects(
        loadSideNetWeights(`${folder}/${name}`, backboneShape),
        name === "backbone.safetensors" ? /kind must be "longmem"/ : { message },
      );
    }
  }));
