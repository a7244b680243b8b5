import { join } from "node:path";
import { InputError } from "../../src/errors.ts";
import { prepareTensorboard, TensorboardWriter } from "../../src/results/tensorboard.ts";
import type { MetricsRecord } from "../../src/results/records.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { curvesOf, readFiles } from "./tensorboard_reader.ts";

/** A line of a training; its numbers are exact in float32. */
function line(step: number, loss: number): MetricsRecord {
  return { phase: "longmem", step, split: "train", tokens: 256 * step, loss };
}

test("TensorboardWriter writes every number of a line by its tag, with step and time", async () => {
  await withFolder(async (folder) => {
    const before = Date.now() / 1000;
    const writer = new TensorboardWriter(folder, assert.fail);
    await writer.begin("longmem", []);
    await writer.add({
      ...line(300, 2.5),
      learningRate: 0.125,
      gradientNorm: 3,
      memoryTokens: 65_536,
      diagnostics: {
        gates: [0.25, 0.75],
        memoryShare: 0.5,
        updateToWeight: 0.0625,
        updateToWeightOfLayers: { "layer 0": 0.03125 },
      },
      timing: { tokensPerSecond: 1024, elapsedMs: 7 },
    });
    await writer.add({ phase: "longmem", step: 300, split: "valid", tokens: 76_800, loss: 2.25 });
    const [[version, start, ...events], ...others] = await readFiles(join(folder, "longmem"));
    assert.deepEqual(others, []);
    assert.equal(version.version, "brain.Event:2");
    assert.deepEqual([start.session, start.step], [1, 1]);
    assert.deepEqual(events.map(({ step, scalars }) => ({ step, scalars })), [
      {
        step: 300,
        scalars: {
          "train/loss": 2.5,
          "train/learningRate": 0.125,
          "train/gradientNorm": 3,
          "train/tokensPerSecond": 1024,
          "train/tokens": 76_800,
          "train/memoryTokens": 65_536,
          "diagnostics/memoryShare": 0.5,
          "diagnostics/updateToWeight": 0.0625,
          "gates/0": 0.25,
          "gates/1": 0.75,
          "updateToWeightOfLayers/layer 0": 0.03125,
        },
      },
      { step: 300, scalars: { "valid/loss": 2.25, "valid/tokens": 76_800 } },
    ]);
    for (const { wallSeconds } of [version, start, ...events]) {
      assert.ok(wallSeconds >= before && wallSeconds <= Date.now() / 1000, `${wallSeconds}`);
    }
  });
});

test("a training that resumes leaves the curve of its record, without the steps after the checkpoint", async () => {
  await withFolder(async (folder) => {
    const first = new TensorboardWriter(folder, assert.fail);
    await first.begin("longmem", []);
    for (const step of [1, 2, 3]) await first.add(line(step, step));
    const second = new TensorboardWriter(folder, assert.fail);
    await second.begin("longmem", [line(1, 1), line(2, 2)]);
    await second.add(line(3, 30));
    const files = await readFiles(join(folder, "longmem"));
    assert.equal(files.length, 2);
    assert.deepEqual(curvesOf(files)["train/loss"], [[1, 1], [2, 2], [3, 30]]);
    // The last file alone has the same curve, so that earlier ones may be missing.
    assert.deepEqual(curvesOf(files.slice(1))["train/loss"], [[1, 1], [2, 2], [3, 30]]);
  });
});

test("a new file is read after those of a host whose clock is ahead", async () => {
  await withFolder(async (folder) => {
    const ahead = Math.floor(Date.now() / 1000) + 5000;
    await Deno.mkdir(join(folder, "longmem"));
    await Deno.writeTextFile(join(folder, "longmem", `events.out.tfevents.${ahead}.z.1`), "");
    await new TensorboardWriter(folder, assert.fail).begin("longmem", [line(1, 1)]);
    const [earlier, own] = await readFiles(join(folder, "longmem"));
    assert.deepEqual(earlier, []);
    assert.deepEqual(curvesOf([own])["train/loss"], [[1, 1]]);
  });
});

test("a curve that cannot be written ends, is told of once, and others go on", async () => {
  await withFolder(async (folder) => {
    const told: string[] = [];
    const writer = new TensorboardWriter(folder, (text) => told.push(text));
    await writer.begin("longmem", []);
    await writer.add(line(1, 1));
    const [{ name }] = await Array.fromAsync(Deno.readDir(join(folder, "longmem")));
    const path = join(folder, "longmem", name), written = await Deno.readFile(path);
    await Deno.remove(path);
    await Deno.symlink("/dev/full", path);
    await writer.add(line(2, 2));
    await writer.add(line(3, 3));
    assert.deepEqual(told, [
      `Cannot write "${path}" as the disk is full: the curve of longmem for TensorBoard ends here`,
    ]);
    await Deno.remove(path);
    await Deno.writeFile(path, written);
    await writer.add({ ...line(1, 5), phase: "backbone" });
    // One that begins again has all of its steps.
    await writer.begin("longmem", [line(1, 1), line(2, 2), line(3, 3)]);
    assert.equal(told.length, 1);
    const loss = async (phase: string) =>
      curvesOf(await readFiles(join(folder, phase)))["train/loss"];
    assert.deepEqual(await loss("backbone"), [[1, 5]]);
    assert.deepEqual(await loss("longmem"), [[1, 1], [2, 2], [3, 3]]);
  });
});

test("prepareTensorboard() makes the folder, and says why one cannot be used", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a", "b");
    await prepareTensorboard(path);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(path)), []);
    await Deno.writeTextFile(join(folder, "file"), "");
    const refused = (name: string, reason: RegExp) =>
      assert.rejects(prepareTensorboard(name), (error: unknown) => {
        assert.ok(error instanceof InputError);
        assert.match(error.message, reason);
        return true;
      });
    await refused(join(folder, "file"), /Cannot write ".*file" as a file stands where a folder/);
    await refused(join(folder, "file", "x"), /Cannot write ".*x" as a file stands where a folder/);
    await refused("", /--tensorboard names no folder: current value is "", allowed is a path/);
  });
});
