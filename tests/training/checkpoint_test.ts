import { join } from "node:path";
import {
  keepCheckpoints,
  loadCheckpoint,
  saveCheckpoint,
  type TrainingCheckpoint,
} from "../../src/training/checkpoint.ts";
import type { TensorMap } from "../../src/tensor.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

function tensors(...values: number[]): TensorMap {
  return new Map([["sidenet.weight", {
    shape: [values.length],
    data: Float32Array.from(values),
  }]]);
}

function vector(...values: number[]) {
  return { shape: [values.length], data: Float32Array.from(values) };
}

/** A checkpoint in which everything depends on the step. */
function checkpoint(step: number): TrainingCheckpoint {
  return {
    trainer: {
      step,
      updates: { always: step, withMemory: step - 1 },
      parameters: tensors(step, -0, 1e-42), // a negative zero, a subnormal number
      means: tensors(step + 0.1),
      squares: tensors(step + 0.2),
      memory: {
        rings: [{ first: 3, count: step }, { first: 0, count: 1 }],
        tensors: { keys: vector(step, 1), values: vector(step, 2), meanKeys: vector(step, 3) },
      },
    },
    position: { step, rows: [{ part: 1, segment: step }] },
    best: { step: step - 1, loss: 2.5, weights: tensors(step + 0.5) },
  };
}

function checkpointTest(name: string, body: (folder: string) => Promise<void>): void {
  test(name, () => withFolder((folder) => body(join(folder, "longmem"))));
}

async function entries(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

checkpointTest("loadCheckpoint() returns what saveCheckpoint() was given", async (folder) => {
  assert.equal(await loadCheckpoint(folder), undefined);
  await saveCheckpoint(folder, checkpoint(7));
  assert.deepEqual(await loadCheckpoint(folder), checkpoint(7));
});

checkpointTest("saveCheckpoint() writes what is absent as absent", async (folder) => {
  const { trainer, position } = checkpoint(7);
  const bare = { trainer: { ...trainer, memory: undefined }, position, best: undefined };
  await saveCheckpoint(folder, bare);
  assert.deepEqual(await loadCheckpoint(folder), bare);
  assert.deepEqual(await entries(join(folder, "step_000007")), [
    "adam_means.safetensors",
    "adam_squares.safetensors",
    "parameters.safetensors",
    "state.json",
  ]);
});

checkpointTest(
  "saveCheckpoint() keeps the newest earlier checkpoint, and what is none",
  async (folder) => {
    await saveCheckpoint(folder, checkpoint(5));
    await saveCheckpoint(folder, checkpoint(7));
    await Deno.mkdir(join(folder, "step_000008")); // cut off
    await Deno.writeTextFile(join(folder, "weights.safetensors"), "");
    await saveCheckpoint(folder, checkpoint(1_000_000));
    assert.deepEqual(await entries(folder), ["step_000007", "step_1000000", "weights.safetensors"]);
    assert.deepEqual(await loadCheckpoint(folder), checkpoint(1_000_000));
    // Of a training that went back, the later ones are no longer its own.
    await saveCheckpoint(folder, checkpoint(9));
    assert.deepEqual(await entries(folder), ["step_000007", "step_000009", "weights.safetensors"]);
    await keepCheckpoints(folder, { step: 9, batches: 0 }, 1);
    assert.deepEqual(await entries(folder), ["step_000009", "weights.safetensors"]);
  },
);

checkpointTest(
  "saveCheckpoint() keeps a checkpoint among batches beside that of its step until a later one",
  async (folder) => {
    const among = (step: number, batches: number) => {
      const { trainer, ...rest } = checkpoint(step);
      const begun = { batches, loss: 0.1 + 0.2, targets: 7, gated: true, sums: trainer.means };
      return { ...rest, trainer: { ...trainer, begun } };
    };
    await saveCheckpoint(folder, checkpoint(5));
    await saveCheckpoint(folder, among(5, 9));
    await saveCheckpoint(folder, among(5, 10));
    assert.deepEqual(await entries(folder), ["step_000005", "step_000005_batch_10"]);
    assert.deepEqual(await loadCheckpoint(folder), among(5, 10));
    await saveCheckpoint(folder, checkpoint(7));
    assert.deepEqual(await entries(folder), ["step_000005", "step_000007"]);
  },
);

checkpointTest(
  "saveCheckpoint() leaves all as it is where another process has the folder",
  async (folder) => {
    await saveCheckpoint(folder, checkpoint(5));
    await saveCheckpoint(folder, checkpoint(7));
    for (const passes of [0, 1]) {
      let checks = 0;
      const check = () => checks++ < passes ? Promise.resolve() : Promise.reject(new Error("lost"));
      await assert.rejects(saveCheckpoint(folder, checkpoint(9), check), /^Error: lost$/);
      assert.deepEqual(await loadCheckpoint(folder), checkpoint(7));
      assert.deepEqual(await loadCheckpoint(folder, { refuse: later(5) }), checkpoint(5));
    }
  },
);

/** Refuses steps after one. */
function later(last: number) {
  return (step: number) => Promise.resolve(step > last ? `metrics end at ${last}` : undefined);
}

checkpointTest(
  "loadCheckpoint() goes back to what a training can continue from",
  async (folder) => {
    await saveCheckpoint(folder, checkpoint(5));
    await saveCheckpoint(folder, checkpoint(7));
    const skipped: string[] = [];
    const onSkip = (text: string) => skipped.push(text);
    assert.deepEqual(await loadCheckpoint(folder, { refuse: later(7), onSkip }), checkpoint(7));
    assert.deepEqual(skipped, []);
    assert.deepEqual(await loadCheckpoint(folder, { refuse: later(6), onSkip }), checkpoint(5));
    assert.deepEqual(skipped, [
      `Cannot resume from "${folder}/step_000007" as metrics end at 6; continuing from "${folder}/step_000005"`,
    ]);
    await assert.rejects(loadCheckpoint(folder, { refuse: later(4) }), {
      message: `Cannot resume from "${folder}/step_000007" as metrics end at 4; ` +
        `Cannot resume from "${folder}/step_000005" as metrics end at 4; --fresh starts the run again`,
    });
  },
);

checkpointTest("loadCheckpoint() reads checkpoints that have no hashes", async (folder) => {
  await saveCheckpoint(folder, checkpoint(7));
  const path = join(folder, "step_000007", "state.json");
  const { hashes, sha256, ...state } = JSON.parse(await Deno.readTextFile(path));
  assert.equal(Object.keys(hashes).length, 5);
  assert.match(sha256, /^[0-9a-f]{64}$/);
  await Deno.writeTextFile(path, JSON.stringify(state));
  assert.deepEqual(await loadCheckpoint(folder), checkpoint(7));
});

checkpointTest("loadCheckpoint() takes the newest by number", async (folder) => {
  const other = `${folder}_other`;
  await saveCheckpoint(folder, checkpoint(999_999));
  await saveCheckpoint(other, checkpoint(1_000_000));
  await Deno.rename(join(other, "step_1000000"), join(folder, "step_1000000"));
  assert.equal((await loadCheckpoint(folder))?.trainer.step, 1_000_000);
});

checkpointTest("loadCheckpoint() ignores a checkpoint that a kill cut off", async (folder) => {
  await saveCheckpoint(folder, checkpoint(7));
  const cut = join(folder, "step_000009");
  await Deno.mkdir(cut);
  await Deno.copyFile(
    join(folder, "step_000007", "parameters.safetensors"),
    join(cut, "parameters.safetensors"),
  );
  await Deno.writeTextFile(join(cut, "state.json.part"), '{"format": "longmem');
  assert.deepEqual(await loadCheckpoint(folder), checkpoint(7));
  // The next one of that step is whole.
  await saveCheckpoint(folder, checkpoint(9));
  assert.deepEqual(await loadCheckpoint(folder), checkpoint(9));
});

checkpointTest("saveCheckpoint() that fails over an earlier one leaves none", async (folder) => {
  await saveCheckpoint(folder, checkpoint(7));
  const { trainer, ...rest } = checkpoint(7);
  const squares: TensorMap = new Map([["sidenet.weight", {
    shape: [3],
    data: new Float32Array(2),
  }]]);
  await assert.rejects(saveCheckpoint(folder, { trainer: { ...trainer, squares }, ...rest }));
  // Half of it is of the later one.
  assert.equal(await loadCheckpoint(folder), undefined);
});

/** What may have happened to a checkpoint, and what is said then. */
const damages: [name: string, damage: (path: string) => Promise<void>, message: RegExp][] = [
  [
    "a state that is not JSON",
    (path) => Deno.writeTextFile(join(path, "state.json"), '{"format": "longmem-lab tr'),
    /Cannot resume from "[^"]*step_000007\/state.json" as it is not JSON;/,
  ],
  [
    "a state of another version",
    async (path) => {
      const state = JSON.parse(await Deno.readTextFile(join(path, "state.json")));
      await Deno.writeTextFile(join(path, "state.json"), JSON.stringify({ ...state, version: 2 }));
    },
    /as it must be a training checkpoint of version 1: current values are longmem-lab training and 2;/,
  ],
  [
    "an empty state",
    (path) => Deno.writeTextFile(join(path, "state.json"), "null"),
    /state.json" as it must be a training checkpoint/,
  ],
  [
    "a state without its fields",
    (path) =>
      Deno.writeTextFile(
        join(path, "state.json"),
        '{"format": "longmem-lab training", "version": 1}',
      ),
    /state.json" as step must be a count: current value is undefined;/,
  ],
  [
    "a truncated tensor file",
    async (path) => {
      const file = join(path, "adam_means.safetensors");
      await Deno.truncate(file, (await Deno.stat(file)).size - 2);
    },
    /Cannot read safetensors file ".*step_000007\/adam_means.safetensors" as it is truncated/,
  ],
  [
    "a missing tensor file",
    (path) => Deno.remove(join(path, "memory.safetensors")),
    /Cannot read ".*step_000007\/memory.safetensors"/,
  ],
  [
    "a memory without its values",
    async (path) => {
      await Deno.copyFile(join(path, "adam_means.safetensors"), join(path, "memory.safetensors"));
      const { hashes: _, sha256: _own, ...state } = JSON.parse(
        await Deno.readTextFile(join(path, "state.json")),
      );
      await Deno.writeTextFile(join(path, "state.json"), JSON.stringify(state));
    },
    /Cannot resume from "[^"]*step_000007" as its memory lacks tensor "keys";/,
  ],
  ...["parameters", "adam_means", "adam_squares", "memory", "best"].flatMap((
    file,
  ): typeof damages => [
    [
      `a flipped bit of ${file}`,
      (path) => flipBit(join(path, `${file}.safetensors`), -2),
      new RegExp(`as "[^"]*step_000007/${file}.safetensors" is damaged: current SHA-256`),
    ],
    [
      `the ${file} of another step`,
      async (path) => {
        const other = `${path}_other`;
        await saveCheckpoint(other, checkpoint(8));
        await Deno.copyFile(
          join(other, "step_000008", `${file}.safetensors`),
          join(path, `${file}.safetensors`),
        );
      },
      new RegExp(`as "[^"]*step_000007/${file}.safetensors" is damaged: current SHA-256`),
    ],
  ]),
  [
    "another position of the data",
    async (path) => {
      const text = await Deno.readTextFile(join(path, "state.json"));
      await Deno.writeTextFile(
        join(path, "state.json"),
        text.replace('"segment": 7', '"segment": 6'),
      );
    },
    /Cannot resume from "[^"]*step_000007\/state.json" as it is damaged: current SHA-256/,
  ],
];

/** Flips a bit of a byte, counted from the end of the file. */
async function flipBit(path: string, at: number): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length + at] ^= 1;
  await Deno.writeFile(path, bytes);
}

for (const [name, damage, message] of damages) {
  checkpointTest(
    `loadCheckpoint() says what is wrong, and goes back to an earlier checkpoint: ${name}`,
    async (folder) => {
      await saveCheckpoint(folder, checkpoint(7));
      await damage(join(folder, "step_000007"));
      await assert.rejects(loadCheckpoint(folder), message);
      await assert.rejects(loadCheckpoint(folder), /; --fresh starts the run again$/);

      const both = `${folder}_both`;
      await saveCheckpoint(both, checkpoint(5));
      await saveCheckpoint(both, checkpoint(7));
      await damage(join(both, "step_000007"));
      const skipped: string[] = [];
      const onSkip = (text: string) => skipped.push(text);
      assert.deepEqual(await loadCheckpoint(both, { onSkip }), checkpoint(5));
      assert.equal(skipped.length, 1);
      assert.match(skipped[0], message);
    },
  );
}
