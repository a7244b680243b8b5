import { dealLanes, LaneStream } from "../../src/text/lane_stream.ts";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import { assert, fixturePath, sharedTest, test } from "../testing.ts";

interface LaneCase {
  readonly blocks: number;
  readonly batch: number;
  readonly shards: number;
  // deno-lint-ignore camelcase
  readonly per_shard: readonly (
    | { num_batches: number; first: number[]; second: number[]; last: number[] }
    | { error: string }
  )[];
}

const counting = (length: number) => Int32Array.from({ length }, (_, i) => i + 100);

sharedTest("dealLanes() reproduces the official lanes", async () => {
  const { batch_lanes: cases }: { batch_lanes: LaneCase[] } = JSON.parse(
    await Deno.readTextFile(fixturePath("misc.json")),
  );
  assert.equal(cases.length, 7);
  // The others are of several processes that train together.
  const alone = cases.filter(({ shards }) => shards === 1);
  assert.equal(alone.length, 5);
  for (const { blocks, batch: batchSize, per_shard: [lanes] } of alone) {
    const deal = () => dealLanes(blocks, { batchSize });
    if ("error" in lanes) {
      assert.throws(deal, RangeError);
      continue;
    }
    const { first, steps } = deal();
    assert.equal(steps, lanes.num_batches);
    assert.deepEqual(first, lanes.first);
    assert.deepEqual(first.map((block) => block + 1), lanes.second);
    assert.deepEqual(first.map((block) => block + steps - 1), lanes.last);
  }
});

sharedTest("LaneStream reproduces the official batches, epoch after epoch", async () => {
  const { integers } = await readSafetensors(fixturePath("data.safetensors"));
  const data = (name: string) => integers.get(name)!.data;
  const stream = new LaneStream(data("stream"), { batchSize: 2, contextTokens: 16, eos: 2 });
  assert.equal(stream.stepsPerEpoch, 7);
  for (let epoch = 0; epoch < 2; epoch++) {
    for (let step = 0; step < 7; step++) {
      const batch = stream.next();
      assert.deepEqual(batch.tokens, data("src_tokens").subarray(step * 32, step * 32 + 32));
      assert.deepEqual(batch.targets, data("target").subarray(step * 32, step * 32 + 32));
      assert.deepEqual(batch.starts, [step === 0, step === 0]);
      assert.equal(batch.epoch, epoch);
      assert.equal(batch.endsEpoch, step === 6);
    }
  }
});

test("LaneStream never reads the last block", () => {
  // 5 blocks of 3, of which 4 count: lanes of 2 blocks.
  const stream = new LaneStream(counting(15), { batchSize: 2, contextTokens: 3, eos: 2 });
  assert.equal(stream.stepsPerEpoch, 2);
  const targets = [stream.next(), stream.next()].map((batch) => [...batch.targets]);
  assert.deepEqual(targets, [[100, 101, 102, 106, 107, 108], [103, 104, 105, 109, 110, 111]]);
});

test("LaneStream.seek() continues where position() was taken, also in another epoch", () => {
  const open = () => new LaneStream(counting(60), { batchSize: 2, contextTokens: 4, eos: 2 });
  const stream = open();
  for (let i = 0; i < 2 * stream.stepsPerEpoch + 3; i++) stream.next();
  const position = JSON.parse(JSON.stringify(stream.position()));
  const resumed = open();
  resumed.seek(position);
  for (let i = 0; i < 9; i++) assert.deepEqual(resumed.next(), stream.next());
});

test("LaneStream rejects a stream too short for its lanes, and a position of another stream", () => {
  assert.throws(() => new LaneStream(counting(43), { batchSize: 4, contextTokens: 4, eos: 2 }), {
    name: "RangeError",
    message: "Cannot cut 11 blocks into 4 lanes as every lane must have two blocks or more: " +
      "current lengths are 3, 3, 3, 1",
  });
  const stream = new LaneStream(counting(60), { batchSize: 2, contextTokens: 4, eos: 2 });
  for (
    const position of [undefined, {}, { step: 1.5, stepsPerEpoch: 7 }, {
      step: 1,
      stepsPerEpoch: 8,
    }]
  ) {
    assert.throws(() => stream.seek(position), {
      name: "RangeError",
      message: /^Cannot seek in lanes as .* 7 steps an epoch/,
    });
  }
});
