import type { Metric } from "../../src/results/records.ts";
import { recordVariation, RunFolder, type RunFolderOptions } from "../../src/results/run_folder.ts";
import { temporaryOf } from "../../src/files.ts";
import { assert, test } from "../testing.ts";
import { smallEnvironment } from "./small_environment.ts";

const environment = {
  ...smallEnvironment,
  declarationFile: "experiments/small.ts",
  commit: "abc",
  dirty: false,
};

const identity = { experiment: "small", run: "r1", scale: "scaled-down" } as const;

/** Only Linux has a device on which writing fails as on a full disk. */
const withFullDisk = { ignore: Deno.build.os !== "linux" };

/** Runs a test in a results folder of its own. */
function folderTest(
  name: string,
  body: (
    open: (change?: Partial<RunFolderOptions>) => Promise<RunFolder>,
    path: string,
  ) => Promise<void>,
  options: { ignore?: boolean } = {},
): void {
  test({ name, fn, ...options });
  async function fn(): Promise<void> {
    const results = await Deno.makeTempDir();
    const run: RunFolderOptions = { results, identity, declaration: { seed: 1 }, environment };
    try {
      await body((change) => RunFolder.open({ ...run, ...change }), `${results}/small/r1`);
    } finally {
      await Deno.remove(results, { recursive: true });
    }
  }
}

async function readJson(path: string) {
  return JSON.parse(await Deno.readTextFile(path));
}

function step(step: number, phase = "longmem") {
  return { phase, step, split: "train", tokens: 256 * step, loss: 5 / step } as const;
}

function metric(model: string, value: number): Metric {
  return {
    evaluation: "perplexity-test",
    model,
    name: "perplexity",
    measure: "perplexity",
    value,
    stderr: 0.1,
    ci95: [value - 0.2, value + 0.2],
    n: 7,
    unit: "",
    higherIsBetter: false,
    metricVersion: 1,
  };
}

folderTest(
  "RunFolder.open() records declaration, environment and a planned summary",
  async (open, path) => {
    const folder = await open();
    assert.equal(folder.path, path);
    assert.deepEqual(await readJson(`${path}/experiment.json`), { seed: 1 });
    assert.deepEqual(await readJson(`${path}/environment.json`), {
      ...environment,
      hashes: {},
      earlier: [],
    });
    const summary = { state: "planned", ...identity, metrics: [] };
    assert.deepEqual(await readJson(`${path}/summary.json`), summary);
    assert.deepEqual(folder.summary, summary);
  },
);

folderTest("RunFolder writes nothing beside its documented files", async (open, path) => {
  const folder = await open();
  await folder.appendMetrics(step(1));
  await folder.appendSamples("perplexity-test", "backbone", [{ item: "a", nats: 1 }]);
  const names = (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
  const files = ["environment.json", "experiment.json", "metrics.jsonl", "samples", "summary.json"];
  assert.deepEqual(names, files);
});

folderTest("RunFolder.setState() keeps an error with the state failed only", async (open, path) => {
  const folder = await open();
  await folder.setState("failed", "Cannot do it");
  const { state, error } = await readJson(`${path}/summary.json`);
  assert.deepEqual([state, error], ["failed", "Cannot do it"]);
  const reopened = await open();
  assert.equal(reopened.summary.error, "Cannot do it");
  await reopened.setState("running");
  assert.ok(!("error" in await readJson(`${path}/summary.json`)));
});

folderTest(
  "RunFolder.recordMetrics() replaces equal ones, keeps others, survives reopening",
  async (open, path) => {
    const folder = await open();
    await folder.recordMetrics([metric("backbone", 9), metric("longmem", 8)]);
    const reopened = await open();
    await reopened.recordMetrics([metric("backbone", 7)]);
    const { metrics } = await readJson(`${path}/summary.json`);
    assert.deepEqual(
      metrics,
      [metric("backbone", 7), metric("longmem", 8)],
      "the first stays first",
    );
    await assert.rejects(
      reopened.recordMetrics([metric("backbone", NaN)]),
      /Cannot record perplexity-test backbone perplexity as value is not finite: current value is NaN/,
    );
  },
);

folderTest("RunFolder.appendMetrics() writes keys in one order, times last", async (open, path) => {
  const folder = await open();
  const timing = { tokensPerSecond: 10, elapsedMs: 5 };
  await folder.appendMetrics({ timing, gradientNorm: 2, ...step(1) });
  assert.equal(
    await Deno.readTextFile(`${path}/metrics.jsonl`),
    '{"phase":"longmem","step":1,"split":"train","tokens":256,"loss":5,"gradientNorm":2,' +
      '"timing":{"tokensPerSecond":10,"elapsedMs":5}}\n',
  );
  await assert.rejects(
    folder.appendMetrics({ ...step(2), loss: Infinity }),
    /Cannot record longmem step 2 as loss is not finite: current value is Infinity/,
  );
  assert.equal((await folder.readMetrics()).length, 1);
});

folderTest("RunFolder.truncateMetrics() goes back to a step of one phase", async (open) => {
  const folder = await open();
  for (const i of [1, 2, 3]) await folder.appendMetrics(step(i, "backbone"));
  for (const i of [1, 2, 3]) await folder.appendMetrics(step(i));
  await folder.truncateMetrics("longmem", 2);
  await folder.appendMetrics({ ...step(3), loss: 1 });
  assert.deepEqual(
    (await folder.readMetrics()).map(({ phase, step, loss }) => [phase, step, loss]),
    [
      ["backbone", 1, 5],
      ["backbone", 2, 2.5],
      ["backbone", 3, 5 / 3],
      ["longmem", 1, 5],
      ["longmem", 2, 2.5],
      ["longmem", 3, 1],
    ],
  );
});

folderTest(
  "a half-written last line is dropped, whatever its length, and nothing else",
  async (open, path) => {
    const folder = await open();
    await folder.appendMetrics(step(1));
    await folder.appendMetrics(step(2));
    const whole = await Deno.readTextFile(`${path}/metrics.jsonl`);
    const first = whole.indexOf("\n") + 1;
    for (let length = first; length < whole.length - 1; length++) {
      await Deno.writeTextFile(`${path}/metrics.jsonl`, whole.slice(0, length));
      await folder.truncateMetrics("longmem", 5);
      assert.equal(await Deno.readTextFile(`${path}/metrics.jsonl`), whole.slice(0, first));
      await folder.appendMetrics(step(2));
      assert.equal(await Deno.readTextFile(`${path}/metrics.jsonl`), whole);
    }
    // Only the line break is missing: the step is whole, and kept.
    await Deno.writeTextFile(`${path}/metrics.jsonl`, whole.slice(0, -1));
    await folder.truncateMetrics("longmem", 5);
    assert.equal(await Deno.readTextFile(`${path}/metrics.jsonl`), whole);
  },
);

folderTest("a broken line in the middle is an error that names it", async (open, path) => {
  const folder = await open();
  await Deno.writeTextFile(`${path}/metrics.jsonl`, '{"phase":"a"}\n{"pha\n{"phase":"a"}\n');
  await assert.rejects(
    folder.readMetrics(),
    /Cannot read line 2 of ".*metrics.jsonl" as it is not JSON: it begins with "\{\\"pha[^\n]*; without the folder ".*\/r1", running the experiment repeats the run$/,
  );
});

folderTest(
  "RunFolder.keepSamples() drops other models' lines and one that a kill cut off, appendSamples() appends",
  async (open, path) => {
    const folder = await open();
    assert.deepEqual(await folder.keepSamples("perplexity-test", ["longmem"]), []);
    await folder.appendSamples("perplexity-test", "backbone", [{ item: "a", nats: 1 }]);
    await folder.appendSamples("perplexity-test", "longmem", [{ item: "a", nats: 2 }]);
    const file = `${path}/samples/perplexity-test.jsonl`;
    await Deno.writeTextFile(file, '{"model":"third","it', { append: true });
    assert.deepEqual(await folder.keepSamples("perplexity-test", ["longmem", "third"]), [
      { model: "longmem", item: "a", nats: 2 },
    ]);
    await folder.appendSamples("perplexity-test", "backbone", [{ item: "a", nats: 3 }]);
    assert.equal(
      await Deno.readTextFile(file),
      '{"model":"longmem","item":"a","nats":2}\n{"model":"backbone","item":"a","nats":3}\n',
    );
  },
);

folderTest(
  "samples must be finite when they are written, and when they are read",
  async (open, path) => {
    const folder = await open();
    for (
      const [sample, problem] of [
        [{ item: "a", nats: NaN }, /of item "a" nats must be .*: current value is NaN$/],
        [{ item: "a", nats: -Infinity }, /nats must be .*: current value is -Infinity$/],
        [{ item: "a", ranks: [1, Infinity] }, /ranks\[1\] must be .*: current value is Infinity$/],
        [{ item: "a", nats: undefined! }, /nats must be .*: it is missing$/],
      ] as const
    ) {
      await assert.rejects(
        folder.appendSamples("perplexity-test", "backbone", [{ item: "b", nats: 1 }, sample]),
        (error: Error) => {
          assert.match(error.message, /^Cannot record samples of perplexity-test backbone as /);
          assert.match(error.message, problem);
          return error instanceof RangeError;
        },
      );
    }
    assert.deepEqual(await folder.readSamples("perplexity-test"), []);
    for (
      const [line, problem] of [
        ['{"model":"backbone","item":"b","nats":null}', /nats must be .*: current value is null/],
        ['{"model":"backbone","item":"b","nats":[1,null]}', /nats\[1\] must be .* value is null/],
        ['{"model":"backbone","item":"b","nats":{}}', /nats must be .*: current value is/],
        ['{"model":"backbone","nats":1}', /item must be .*: it is missing/],
      ] as const
    ) {
      await Deno.mkdir(`${path}/samples`, { recursive: true });
      await Deno.writeTextFile(
        `${path}/samples/perplexity-test.jsonl`,
        `{"model":"backbone","item":"a","nats":1}\n${line}\n`,
      );
      await assert.rejects(folder.readSamples("perplexity-test"), (error: Error) => {
        assert.match(
          error.message,
          /^Cannot read line 2 of ".*perplexity-test.jsonl" as it is not a scored item: /,
        );
        assert.match(error.message, problem);
        return error instanceof SyntaxError;
      });
    }
  },
);

folderTest(
  "a resumed run keeps its results and tells where its earlier parts ran",
  async (open, path) => {
    const first = await open();
    await first.setState("running");
    await first.recordDevice("cpu: first");
    await first.recordHash("corpus", "aa");
    await first.appendMetrics(step(1));
    const second = await open({ environment: { ...environment, cpu: "other" } });
    await second.recordDevice("cpu: second");
    await second.recordHash("corpus", "aa");
    assert.equal((await second.readMetrics()).length, 1);
    const { cpu, device, hashes, earlier } = await readJson(`${path}/environment.json`);
    assert.deepEqual([cpu, device, hashes], ["other", "cpu: second", { corpus: "aa" }]);
    assert.deepEqual(earlier, [{ ...environment, device: "cpu: first" }]);
  },
);

folderTest("what a killed run was writing is removed, and nothing else", async (open, path) => {
  await (await open()).appendSamples("perplexity-test", "backbone", [{ item: "a", nats: 1 }]);
  await Deno.mkdir(`${path}/checkpoint/longmem`, { recursive: true });
  const kept = ["notes.part", "checkpoint/longmem/weights.safetensors"];
  const cutOff = ["samples/perplexity-test.jsonl", "checkpoint/longmem/weights.safetensors"]
    .map((name) => `${name}.12045.part`);
  for (const name of [...kept, ...cutOff]) await Deno.writeTextFile(`${path}/${name}`, "half");
  const { length } = await (await open()).readSamples("perplexity-test");
  assert.equal(length, 1);
  for (const name of kept) assert.equal(await Deno.readTextFile(`${path}/${name}`), "half");
  for (const name of cutOff) {
    await assert.rejects(Deno.stat(`${path}/${name}`), Deno.errors.NotFound, name);
  }
});

folderTest("a run that was only planned has no earlier part", async (open, path) => {
  await open();
  await open();
  assert.deepEqual((await readJson(`${path}/environment.json`)).earlier, []);
});

folderTest("RunFolder.recordHash() refuses to resume on data that has changed", async (open) => {
  await (await open()).recordHash("corpus", "aa");
  await assert.rejects(
    (await open()).recordHash("corpus", "bb"),
    /Cannot resume run ".*r1" as corpus has changed since: current SHA-256 is bb, allowed is aa/,
  );
});

folderTest("a watch is told of the device, and of each hash once", async (open) => {
  const told: string[] = [];
  const folder = await open({
    watch: {
      device: (device) => void told.push(device),
      hash: (name, sha256) => void told.push(`${name} ${sha256}`),
    },
  });
  await folder.recordDevice("cpu: first");
  for (const name of ["corpus", "tokenizer", "corpus"]) await folder.recordHash(name, "aa");
  assert.deepEqual(told, ["cpu: first", "corpus aa", "tokenizer aa"]);
});

folderTest(
  "RunFolder.open() with fresh forgets the earlier run, checkpoint included",
  async (open, path) => {
    const folder = await open();
    await folder.setState("completed");
    await folder.recordHash("corpus", "aa");
    await folder.appendMetrics(step(1));
    await folder.appendSamples("perplexity-test", "backbone", [{ item: "a", nats: 1 }]);
    await Deno.mkdir(folder.checkpointFolder);
    await Deno.writeTextFile(`${path}/notes.txt`, "of the user");
    const fresh = await open({ fresh: true });
    assert.equal(fresh.summary.state, "planned");
    assert.deepEqual(await fresh.readMetrics(), []);
    assert.deepEqual(await fresh.readSamples("perplexity-test"), []);
    await assert.rejects(Deno.stat(folder.checkpointFolder), Deno.errors.NotFound);
    await fresh.recordHash("corpus", "bb");
    assert.equal(await Deno.readTextFile(`${path}/notes.txt`), "of the user");
  },
);

folderTest(
  "a fresh start that is killed leaves the hashes of inputs beside what was made of them",
  async (open, path) => {
    const { remove } = Deno;
    let kills = 0;
    for (let removals = 1;; removals++) {
      const folder = await open();
      await folder.recordHash("corpus train", "aa");
      await folder.setState("completed");
      await Deno.writeTextFile(`${path}/tokenizer.json`, "{}");
      await Deno.mkdir(folder.checkpointFolder, { recursive: true });
      let removed = 0;
      Deno.remove = async (...args) => {
        if (removed === removals) throw new Error("killed");
        await remove(...args);
        removed++;
      };
      const isKilled = await open({ fresh: true }).then(() => false, () => true);
      Deno.remove = remove;
      if (!isKilled) break;
      kills++;
      const names = await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
      assert.ok(!names.includes("summary.json"));
      assert.ok(names.includes("environment.json"), `after ${removals} files: ${names}`);
    }
    assert.equal(kills, 3, "four files were there");
  },
);

folderTest("a summary that is none is an error, not an empty run", async (open, path) => {
  await open();
  await Deno.writeTextFile(`${path}/summary.json`, '{"metrics": []}');
  await assert.rejects(
    open(),
    /Cannot read ".*summary.json" as state must be .*: it is missing; without the file, /,
  );
  await Deno.writeTextFile(`${path}/summary.json`, '{"state": "comp');
  await assert.rejects(open(), /Cannot read ".*summary.json" as it is not JSON/);
});

folderTest("RunFolder says why it cannot write", async (open, path) => {
  const folder = await open();
  await Deno.symlink("/dev/full", `${path}/metrics.jsonl`);
  await assert.rejects(
    folder.appendMetrics(step(1)),
    /Cannot write ".*metrics.jsonl" as the disk is full/,
  );
  await Deno.mkdir(temporaryOf(`${path}/summary.json`));
  await assert.rejects(
    folder.setState("running"),
    /Cannot write ".*summary.json" as a folder stands where a file is needed/,
  );
  assert.equal(folder.summary.state, "planned");
  await assert.rejects(
    open({ results: `${path}/experiment.json` }),
    /Cannot write ".*" as a file stands where a folder is needed/,
  );
}, withFullDisk);

folderTest(
  "summary.json is replaced whole: the earlier stays until the later is complete",
  async (open, path) => {
    const folder = await open();
    await folder.recordMetrics([metric("backbone", 9)]);
    const before = await Deno.readTextFile(`${path}/summary.json`);
    // The neighbour cannot be written, as on a full disk; the summary must not have been opened for it.
    await Deno.symlink("/dev/full", temporaryOf(`${path}/summary.json`));
    await assert.rejects(folder.setState("completed"), /as the disk is full/);
    assert.equal(await Deno.readTextFile(`${path}/summary.json`), before);
  },
  withFullDisk,
);

folderTest("what tells a run from others is kept, whichever sweep says it", async (open, path) => {
  const folder = await open({ identity: { ...identity, variation: { seed: 1 } } });
  await folder.recordMetrics([metric("backbone", 9)]);
  assert.deepEqual((await open()).summary.variation, { seed: 1 });
  await recordVariation(`${path}/summary.json`, { "memory.chunkTokens": 4 });
  const recorded = await Deno.readTextFile(`${path}/summary.json`);
  const { variation, metrics } = JSON.parse(recorded);
  assert.deepEqual(variation, { seed: 1, "memory.chunkTokens": 4 });
  assert.deepEqual(metrics, [metric("backbone", 9)]);
  // A part that goes on writes the same bytes as one that knew it from the beginning.
  const reopened = await open({ identity: { ...identity, variation: { seed: 1 } } });
  assert.deepEqual(reopened.summary, JSON.parse(recorded));
  assert.equal(await Deno.readTextFile(`${path}/summary.json`), recorded);
});

folderTest(
  "who watches the curves is told of every line, and of what replaces them",
  async (open) => {
    const told: unknown[] = [];
    const folder = await open({
      curves: {
        begin: (phase, lines) => Promise.resolve(void told.push([phase, lines])),
        add: (line) => Promise.resolve(void told.push(line)),
      },
    });
    await folder.appendMetrics(step(1, "backbone"));
    await folder.appendMetrics(step(1));
    await folder.appendMetrics(step(2));
    await folder.truncateMetrics("longmem", 1);
    await folder.replaceMetrics("longmem", [step(1), step(2), step(3)]);
    assert.deepEqual(told, [
      step(1, "backbone"),
      step(1),
      step(2),
      ["longmem", [step(1)]],
      ["longmem", [step(1), step(2), step(3)]],
    ]);
  },
);
