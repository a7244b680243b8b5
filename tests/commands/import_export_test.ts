import {
  loadBackboneWeights,
  loadCheckpoint,
  loadSideNetWeights,
} from "../../src/checkpoint/checkpoint.ts";
import {
  readBackboneFolder,
  readFolderTokenizer,
  readLongMemFolder,
} from "../../src/checkpoint/folder.ts";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import { hashTensors } from "../../src/formats/tensor_hash.ts";
import { exportCommand } from "../../src/commands/export.ts";
import { importCommand } from "../../src/commands/import.ts";
import {
  backboneShape,
  backboneWeights,
  fairseqBackboneBytes,
  fairseqLongMemBytes,
  memory,
  sideNetShape,
  sideNetWeights,
} from "../checkpoint/tiny_models.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, fixturePath, sharedTest, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";
import { writeTinyRun } from "./tiny_run.ts";

const output = recordedOutput();
const run = {
  import: (...args: string[]) => execute(importCommand(output), ...args),
  export: (...args: string[]) => execute(exportCommand(output), ...args),
};

test("import reads an official LongMem; export and import give the same bits back", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/longmem.pt`, fairseqLongMemBytes());
    const said = recordedOutput();
    const args = [`${folder}/longmem.pt`, "--out", `${folder}/longmem`];
    assert.equal(await execute(importCommand(said), ...args), 0);
    const text = said.printed.join("\n");
    // 4 blocks of 4*36 + 2*24*6 + 30 + 12 parameters, 5*6 twice, a bias of 5, a LayerNorm of 12
    assert.match(text, /backbone: layers 4, hiddenDim 6, heads 3, .*vocabSize 5\n {2}1,973 param/);
    assert.ok(text.includes(hashTensors(backboneWeights)));
    assert.ok(text.includes(hashTensors(sideNetWeights)));
    assert.match(text, /memory: capacityTokens 64, chunkTokens 2, retrievedTokens 8/);

    await run.export(`${folder}/longmem`, "--out", `${folder}/sidenet.safetensors`);
    await run.export(
      ...[`${folder}/longmem`, "--what", "backbone", "--out", `${folder}/backbone.safetensors`],
    );
    const names = await readSafetensors(`${folder}/sidenet.safetensors`);
    assert.ok(names.tensors.has("decoder.layers.1.self_attn.memory_bias"));
    const backboneNames = await readSafetensors(`${folder}/backbone.safetensors`);
    assert.ok(backboneNames.tensors.has("decoder.model.transformer.h.3.mlp.fc_in.weight"));

    await run.import(
      ...[`${folder}/sidenet.safetensors`, "--backbone", `${folder}/backbone.safetensors`],
      ...["--out", `${folder}/again`],
    );
    const again = await readLongMemFolder(`${folder}/again`);
    assert.deepEqual(again.backbone.shape, backboneShape);
    assert.deepEqual(again.sideNet.shape, sideNetShape);
    assert.deepEqual(again.memory, memory);
    assert.equal(hashTensors(again.backbone.weights!), hashTensors(backboneWeights));
    assert.equal(hashTensors(again.sideNet.weights), hashTensors(sideNetWeights));
  });
});

test("export writes the official format, and import reads it back", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/longmem.pt`, fairseqLongMemBytes());
    await run.import(`${folder}/longmem.pt`, "--out", `${folder}/longmem`);
    await run.export(`${folder}/longmem`, "--out", `${folder}/new.pt`);
    await run.import(`${folder}/new.pt`, "--out", `${folder}/again`);
    const again = await readLongMemFolder(`${folder}/again`);
    assert.deepEqual(again, await readLongMemFolder(`${folder}/longmem`));
    const backbone = ["--what", "backbone", "--format", "fairseq"];
    await run.export(`${folder}/longmem`, ...backbone, "--out", `${folder}/backbone`);
    const { weights } = await loadBackboneWeights(`${folder}/backbone`);
    assert.equal(hashTensors(weights), hashTensors(backboneWeights));
    await run.import(`${folder}/backbone`, "--out", `${folder}/alone`);
    await assert.rejects(
      run.export(`${folder}/alone`, "--what", "sidenet", "--out", `${folder}/x.pt`),
      /as it is a backbone alone/,
    );
  });
});

test("import reads an official backbone, and bare tensors where --heads is given", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/backbone.pt`, fairseqBackboneBytes());
    await run.import(`${folder}/backbone.pt`, "--out", `${folder}/a`);
    const { contextTokens, weights } = await readBackboneFolder(`${folder}/a`);
    assert.equal(contextTokens, 32);
    assert.equal(hashTensors(weights), hashTensors(backboneWeights));

    await writeSafetensors(`${folder}/bare.safetensors`, backboneWeights);
    const bare = [`${folder}/bare.safetensors`, "--out", `${folder}/b`];
    await assert.rejects(run.import(...bare), { name: "InputError", message: /give shape.heads/ });
    await run.import(...bare, "--heads", "2");
    assert.equal((await readBackboneFolder(`${folder}/b`)).shape.heads, 2);
    await assert.rejects(
      run.import(`${folder}/backbone.pt`, "--heads", "2", "--out", `${folder}/c`),
      /its heads is another one: expected 2, found 3/,
    );
  });
});

test("a SideNet exported from one backbone is refused with another", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/longmem.pt`, fairseqLongMemBytes());
    await run.import(`${folder}/longmem.pt`, "--out", `${folder}/longmem`);
    await run.export(`${folder}/longmem`, "--out", `${folder}/sidenet.safetensors`);
    const other = new Map(backboneWeights);
    const { shape, data } = other.get("lm_head.bias")!;
    other.set("lm_head.bias", { shape, data: data.map((x) => x + 1) });
    await writeSafetensors(`${folder}/other.safetensors`, other, { heads: "3" });
    await assert.rejects(
      run.import(
        ...[`${folder}/sidenet.safetensors`, "--backbone", `${folder}/other.safetensors`],
        ...["--out", `${folder}/again`],
      ),
      /it was trained on another backbone/,
    );
  });
});

test("import takes the paper's memory, and says so, where bare tensors name none", async () => {
  await withFolder(async (folder) => {
    await writeSafetensors(`${folder}/b.safetensors`, backboneWeights, { heads: "3" });
    await writeSafetensors(`${folder}/s.safetensors`, sideNetWeights);
    const said = recordedOutput();
    const args = [
      ...[`${folder}/s.safetensors`, "--backbone", `${folder}/b.safetensors`],
      ...["--out", `${folder}/longmem`],
    ];
    await assert.rejects(execute(importCommand(said), ...args), /give shape.memoryBlock/);
    await execute(importCommand(said), ...args, "--memory-block", "3");
    assert.match(said.notes.join(), /does not say which memory it was trained with/);
    const { memory } = await readLongMemFolder(`${folder}/longmem`);
    assert.deepEqual(memory, { capacityTokens: 65_536, chunkTokens: 4, retrievedTokens: 64 });
  });
});

test("import packs what a run has trained", async () => {
  await withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`);
    await assert.rejects(
      run.import(`${folder}/run`, "--out", `${folder}/longmem`, "--float16"),
      {
        name: "UsageError",
        message: /Cannot round the weights of a LongMem .* --float16 is for backbones alone/,
      },
    );
    await run.import(`${folder}/run`, "--out", `${folder}/longmem`);
    const { backbone, sideNet, memory } = await readLongMemFolder(`${folder}/longmem`);
    const trained = await readSafetensors(`${folder}/run/checkpoint/longmem/weights.safetensors`);
    assert.equal(hashTensors(sideNet.weights), hashTensors(trained.tensors));
    assert.deepEqual(memory, { capacityTokens: 256, chunkTokens: 4, retrievedTokens: 16 });
    assert.equal(backbone.shape.heads, 2);
    assert.equal(backbone.contextTokens, 32);
    assert.equal(
      await Deno.readTextFile(`${folder}/longmem/tokenizer.json`),
      await Deno.readTextFile(`${folder}/run/tokenizer.json`),
    );
    // A folder is imported with its tokenizer.
    await run.import(`${folder}/longmem`, "--out", `${folder}/again`);
    const again = await readFolderTokenizer(`${folder}/again`);
    assert.deepEqual(again, { kind: "file", path: `${folder}/again/tokenizer.json` });

    for (const what of ["sidenet", "backbone"]) {
      const exported = ["run", "longmem"].map((source) =>
        `${folder}/${source}-${what}.safetensors`
      );
      for (const [i, source] of ["run", "longmem"].entries()) {
        await run.export(`${folder}/${source}`, "--what", what, "--out", exported[i]);
      }
      const [ofRun, ofFolder] = await Promise.all(exported.map((file) => Deno.readFile(file)));
      assert.deepEqual(ofRun, ofFolder);
    }

    await Deno.remove(`${folder}/run/checkpoint/longmem/weights.safetensors`);
    await assert.rejects(
      run.import(`${folder}/run`, "--out", `${folder}/more`),
      /Cannot take a LongMem from run ".*" as ".*longmem\/weights.safetensors" is missing: .*\n {2}deno task run /s,
    );
  });
});

test("import packs the backbone of a run that adapts nothing", async () => {
  await withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`, "llama");
    const path = `${folder}/run/experiment.json`;
    const { sidenet: _s, memory: _m, adaptation: _a, ...experiment } = JSON.parse(
      await Deno.readTextFile(path),
    );
    await Deno.writeTextFile(path, JSON.stringify(experiment));
    const said = recordedOutput();
    const args = [`${folder}/run`, "--out", `${folder}/backbone`];
    assert.equal(await execute(importCommand(said), ...args), 0);
    assert.match(said.printed.join(), /architecture llama, .*settings {.*"ropeTheta":10000/);
    const { shape, weights, contextTokens } = await readBackboneFolder(`${folder}/backbone`);
    const trained = `${folder}/run/checkpoint/backbone/weights.safetensors`;
    assert.equal(hashTensors(weights), hashTensors((await readSafetensors(trained)).tensors));
    assert.equal(shape.architecture, "llama");
    assert.equal(contextTokens, 32);
    assert.deepEqual(await readFolderTokenizer(`${folder}/backbone`), {
      kind: "file",
      path: `${folder}/backbone/tokenizer.json`,
    });

    await run.import(`${folder}/run`, "--out", `${folder}/rounded`, "--float16");
    const rounded = await readBackboneFolder(`${folder}/rounded`);
    for (const [name, { data }] of weights) {
      assert.deepEqual(rounded.weights.get(name)!.data, data.map((value) => Math.f16round(value)));
    }
    const [half, whole] = await Promise.all(
      ["rounded", "backbone"].map(async (name) =>
        (await Deno.stat(`${folder}/${name}/backbone.safetensors`)).size
      ),
    );
    assert.ok(half < 0.55 * whole, `${half} of ${whole} bytes`);

    await Deno.remove(trained);
    await assert.rejects(
      run.import(`${folder}/run`, "--out", `${folder}/more`),
      /Cannot take a backbone from run ".*" as ".*backbone\/weights.safetensors" is missing/,
    );
    const file = { kind: "checkpoint", path: "backbone" };
    await Deno.writeTextFile(path, JSON.stringify({ ...experiment, backbone: file }));
    await assert.rejects(
      run.import(`${folder}/run`, "--out", `${folder}/more`),
      /as it pretrains none: current value of backbone.kind is "checkpoint"/,
    );
  });
});

test("import carries the tokenizer that it is given", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/backbone.pt`, fairseqBackboneBytes());
    await Deno.writeTextFile(`${folder}/some.json`, "a tokenizer");
    const given = ["--tokenizer", `${folder}/some.json`, "--out", `${folder}/a`];
    await run.import(`${folder}/backbone.pt`, ...given);
    assert.equal(await Deno.readTextFile(`${folder}/a/tokenizer.json`), "a tokenizer");
    assert.equal((await readBackboneFolder(`${folder}/a`)).contextTokens, 32);
  });
});

test("import and export overwrite nothing and say what is missing", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/backbone.pt`, fairseqBackboneBytes());
    await run.import(`${folder}/backbone.pt`, "--out", `${folder}/a`);
    const usage = (message: RegExp) => ({ name: "UsageError", message });
    await assert.rejects(
      run.import(`${folder}/backbone.pt`, "--out", `${folder}/a`),
      usage(/Cannot write ".*" as it is there already/),
    );
    await assert.rejects(
      run.export(`${folder}/a`, "--out", `${folder}/backbone.pt`),
      usage(/Cannot write ".*" as it is there already/),
    );
    await assert.rejects(run.import(`${folder}/a`), usage(/Missing required flag --out/));
    await assert.rejects(
      run.import("--out", `${folder}/x`),
      usage(/Cannot import as one path is needed: current number is 0/),
    );
    await assert.rejects(
      run.export("--out", `${folder}/x`),
      usage(/Cannot export as one path is needed: current number is 0/),
    );
    await assert.rejects(
      run.export(`${folder}/a`, "--what", "sidenet", "--out", `${folder}/x`),
      { name: "InputError", message: /it is a backbone alone/ },
    );
    await assert.rejects(
      run.import(`${folder}/none.pt`, "--out", `${folder}/x`),
      { name: "InputError", message: /no such file/ },
    );
    await assert.rejects(Deno.stat(`${folder}/x`), Deno.errors.NotFound);
  });
});

sharedTest("import and export return the official files bit for bit", async () => {
  await withFolder(async (folder) => {
    for (const [file, part] of [["longmem.pt", "sidenet"], ["backbone.pt", "backbone"]]) {
      await run.import(fixturePath(file), "--out", `${folder}/${part}`);
      await run.export(`${folder}/${part}`, "--out", `${folder}/${part}.safetensors`);
    }
    const backbone = await loadBackboneWeights(`${folder}/backbone.safetensors`);
    assert.equal(backbone.shape.heads, 4);
    const official = await loadBackboneWeights(fixturePath("backbone.safetensors"), {
      shape: { heads: 4 },
    });
    assert.equal(hashTensors(backbone.weights), hashTensors(official.weights));
    const sideNet = await loadSideNetWeights(`${folder}/sidenet.safetensors`, backbone.shape);
    const expected = await readSafetensors(fixturePath("sidenet.safetensors"));
    assert.equal(hashTensors(sideNet.weights), hashTensors(expected.tensors));
    const longMem = await loadCheckpoint(fixturePath("longmem.pt"));
    assert.ok("sideNet" in longMem);
    assert.equal(hashTensors(longMem.sideNet.weights), hashTensors(expected.tensors));
  });
});
