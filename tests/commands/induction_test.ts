import { writeBackboneFolder } from "../../src/checkpoint/folder.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { hashTensors } from "../../src/formats/tensor_hash.ts";
import { inductionCommand, inductionFigure } from "../../src/commands/induction.ts";
import type { InductionScores } from "../../src/evaluation/induction.ts";
import { withFolder } from "../temporary_folder.ts";
import { contentFreeBackbone, inductionBackbone } from "../evaluation/induction_backbone.ts";
import { assert, assertClose, repositoryPath, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";
import { writeTinyRun } from "./tiny_run.ts";

/** Runs the command in a folder with a backbone that has an induction head; returns what it printed. */
async function withBackbone(
  use: (folder: string, induction: (...args: string[]) => Promise<string>) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    await writeBackboneFolder(`${folder}/backbone`, inductionBackbone());
    await use(folder, async (...args) => {
      const said = recordedOutput();
      const operands = args[0]?.startsWith("--") ? [`${folder}/backbone`] : [];
      const all = [...operands, ...args, "--device", "cpu"];
      assert.equal(await execute(inductionCommand(said), ...all), 0);
      return said.printed.join("\n");
    });
  });
}

function engineTest(name: string, fn: () => Promise<void>): void {
  test({ name, sanitizeOps: false, sanitizeResources: false, fn });
}

engineTest("induction prints heads by block, n, and which block to cache", async () => {
  await withBackbone(async (_, induction) => {
    const printed = await induction("--context", "26");
    assert.match(printed, /2 blocks of 8 heads, windows of 26 tokens, seed 1$/m);
    assert.match(printed, /n = 384 in 32 sequences, \u00b1 standard error over sequences$/m);
    const row = printed.split("\n").find((line) => line.startsWith("| 1 |"))!;
    const cells = row.split(" | ");
    assert.match(cells[8], /^1\.000 \u00b1 0\.000$/, "head 7 behind the block's number");
    assert.match(cells[7], /^0\.0/);
    assert.match(
      printed,
      /Recalls .*: not measured, as the backbone's 16 tokens are not the 322 of the chronicle$/m,
    );
    assert.match(printed, /^Block 1 is the induction block \(its best head: 1.000\)/m);
    assert.match(
      printed,
      /SideNet layer 0, which reads the memory, begin as its copy:\n\n {4}sidenet: { memoryBlock: 1, initialization: { kind: "blocks", blocks: \[1\] } }$/,
    );
    const other = await induction("--context", "26", "--reduction-factor", "1");
    assert.match(other, /SideNet layer 1/);
    assert.match(other, /sidenet: { reductionFactor: 1, memoryBlock: 1, .* blocks: \[0, 1\] } }$/);
  });
});

engineTest("induction takes bare tensors with the number of their heads", async () => {
  await withBackbone(async (folder, induction) => {
    const bare = `${folder}/bare.safetensors`;
    await writeSafetensors(bare, inductionBackbone().weights);
    await assert.rejects(induction(bare, "--context", "26"), { name: "InputError" });
    const printed = await induction(bare, "--context", "26", "--heads", "8");
    assert.equal(printed, await induction("--context", "26"));
  });
});

engineTest(
  "induction reads the backbone of a run, in the window that it was trained on",
  async () => {
    await withFolder(async (folder) => {
      await writeTinyRun(`${folder}/run`, "llama");
      const printed: string[] = [];
      for (const args of [[], ["--context", "32"], ["--context", "16"]]) {
        const said = recordedOutput();
        const all = [`${folder}/run`, ...args, "--device", "cpu"];
        assert.equal(await execute(inductionCommand(said), ...all), 0);
        printed.push(said.printed.join("\n"));
      }
      assert.match(printed[0], /4 blocks of 2 heads, windows of 32 tokens/);
      assert.equal(printed[0], printed[1]);
      assert.notEqual(printed[0], printed[2]);
    });
  },
);

engineTest("induction says clearly where no block is one of induction", async () => {
  await withFolder(async (folder) => {
    const shape = { layers: 2, hiddenDim: 8, heads: 2, feedForwardDim: 8, vocabSize: 322 };
    await writeBackboneFolder(`${folder}/blind`, contentFreeBackbone(shape));
    const said = recordedOutput();
    const args = [`${folder}/blind`, "--corpus", "none", "--device", "cpu"];
    assert.equal(await execute(inductionCommand(said), ...args), 0);
    const [printed] = said.printed;
    assert.match(printed, /windows of 128 tokens/);
    assert.match(printed, /Recalls .*: not measured, as no corpus was asked for$/m);
    assert.match(printed, /No block is an induction block: .* no head reaches 0.25/);
    assert.match(printed, /A memory of this backbone cannot be expected to work\.$/);
    assert.doesNotMatch(printed, /sidenet:/);
  });
});

engineTest("induction prints JSON and writes a figure of the same numbers", async () => {
  await withBackbone(async (folder, induction) => {
    const figure = ["--figure", `${folder}/heads.svg`];
    const args = ["--context", "26", "--format", "json", "--seed", "3"];
    const scores: InductionScores & { backbone: string } = JSON.parse(
      await induction(...args, ...figure),
    );
    assert.equal(scores.backbone, hashTensors(inductionBackbone().weights));
    assert.equal(scores.seed, 3);
    assert.equal(scores.repeated.pairs, 384);
    const svg = await Deno.readTextFile(`${folder}/heads.svg`);
    assert.match(svg, /<title>Block 1 is the induction block<\/title>/);
    const printed = [...svg.matchAll(/>(\d\.\d\d)</g)].map(([, number]) => number);
    const values = scores.repeated.heads.flat().map(({ value }) => value.toFixed(2));
    assert.deepEqual(printed, values);
    assert.notEqual(await induction(...args, "--seed", "4"), await induction(...args));
  });
});

engineTest("induction says what is wrong with its arguments", async () => {
  await withBackbone(async (folder, induction) => {
    const usage = (message: RegExp) => ({ name: "UsageError", message });
    const here = ["--context", "26"];
    await assert.rejects(
      execute(inductionCommand(recordedOutput())),
      usage(/Cannot measure induction as one path is needed: current number is 0/),
    );
    await assert.rejects(
      induction(...here, "--corpus", "chronicle"),
      usage(/need its vocabulary of 322 words: current value of the backbone's vocabSize is 16/),
    );
    await assert.rejects(
      induction("--reduction-factor", "5"),
      usage(/must divide the backbone's 2 layers: current value is 5, allowed are 1, 2/),
    );
    await assert.rejects(induction("--seed", "x"), usage(/Cannot read --seed/));
    await assert.rejects(induction("--corpus", "novels"), usage(/Cannot read --corpus/));
    await Deno.writeTextFile(`${folder}/there.svg`, "");
    await assert.rejects(
      induction(...here, "--figure", `${folder}/there.svg`),
      usage(/there already/),
    );
    await assert.rejects(induction(`${folder}/none.pt`), { name: "InputError" });
    await assert.rejects(
      induction(...here, "--figure", `${folder}/none/heads.svg`),
      usage(/as there is no folder ".*none"/),
    );
  });
});

engineTest("The recorded scores of the chronicle's backbone are those of its weights", async () => {
  const folder = repositoryPath("results/chronicle_backbone");
  const recorded: InductionScores = JSON.parse(
    await Deno.readTextFile(`${folder}/induction.json`),
  );
  const said = recordedOutput();
  const path = repositoryPath("data/chronicle/backbone");
  await execute(inductionCommand(said), path, "--format", "json", "--device", "cpu");
  const now: InductionScores = JSON.parse(said.printed[0]);
  const numbers = ({ repeated, recalls }: InductionScores) =>
    [repeated, recalls!].flatMap(({ heads, blocks }) =>
      [...heads.flat(), ...blocks].flatMap(({ value, stderr, n }) => [value, stderr!, n])
    );
  assertClose(numbers(now), numbers(recorded), { tolerance: 1e-4 });
  const facts = (scores: InductionScores) => ({
    ...scores,
    repeated: scores.repeated.pairs,
    recalls: scores.recalls!.pairs,
  });
  assert.deepEqual(facts(now), facts(recorded));
  assert.equal(await inductionFigure(recorded), await Deno.readTextFile(`${folder}/induction.svg`));
});
