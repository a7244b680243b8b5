import { z } from "zod";
import { initializeBackbone } from "../../src/backbone/initialization.ts";
import { sideNetKindOf, sideNetRemarks } from "../../src/checkpoint/sidenets.ts";
import { nonNegativeInteger } from "../../src/declaration/fields.ts";
import { wrong } from "../../src/declaration/problem.ts";
import type { Experiment } from "../../src/experiment/declaration.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { copyBlocks, startFields, type StartKind } from "../../src/longmem/start.ts";
import {
  type SideNetInitialization,
  type SideNetSource,
  starts,
} from "../../src/longmem/starts.ts";
import { smallChronicle } from "../runner/small_chronicle.ts";
import { assert, test } from "../testing.ts";

interface OneBlockStart {
  readonly kind: "one-block";
  readonly block: number;
}

/** A start as another file would add it: every layer copies one block. */
const oneBlock: StartKind<OneBlockStart> = {
  schema: z.strictObject({
    kind: z.literal("one-block"),
    block: nonNegativeInteger,
    ...startFields,
  }),
  check: ({ block }, path, { layers = Infinity, field }) =>
    block < layers ? [] : [wrong(
      `${path}.initialization.block`,
      `must be below ${field}`,
      block,
      `up to ${layers - 1}`,
    )],
  copiedBlock: ({ block }) => block,
  weights: ({ block }, beside) => copyBlocks(Array(beside.shape.layers).fill(block), beside),
};

const declare = (initialization: object): Experiment => ({
  name: "start",
  ...smallChronicle,
  // The types of declarations do not know it.
  sidenet: { memoryBlock: 1, initialization: initialization as SideNetInitialization },
  evaluations: [],
  device: "cpu",
});

test("A start that is registered is declared, checked, remarked on and made, with no other change", async () => {
  const resolve = (initialization: object, ...assignments: string[]) =>
    resolveSweep("start.ts", declare(initialization), { assignments });
  assert.throws(
    () => resolve({ kind: "one-block", block: 1 }),
    /sidenet.initialization.kind has a wrong value: current value is "one-block", allowed are blocks, paper, random$/,
  );
  using _start = starts.register("one-block", oneBlock as unknown as StartKind<SideNetSource>);
  assert.throws(
    () => resolve({ kind: "one-block", blck: 1 }),
    /sidenet.initialization.blck is unknown: .*\(did you mean "block"\?\)/,
  );
  assert.throws(
    () => resolve({ kind: "one-block", block: 2 }),
    /sidenet.initialization.block must be below backbone.layers: current value is 2, allowed are up to 1$/,
  );
  const [set] = resolve(
    { kind: "paper" },
    "sidenet.initialization.kind=one-block",
    "sidenet.initialization.block=0",
    "sidenet.initialization.outputScale=0.5",
  );
  const { sidenet } = set.experiment;
  assert.deepEqual(sidenet, {
    reductionFactor: 2,
    memoryBlock: 1,
    initialization: { kind: "one-block", block: 0, outputScale: 0.5 },
  });
  assert.match(sideNetRemarks(sidenet)[0], /block 1 but starts as a copy of block 0/);

  const shape = { layers: 2, hiddenDim: 8, heads: 2, feedForwardDim: 16, vocabSize: 7 };
  const backbone = { shape, weights: initializeBackbone(shape, 1) };
  const { weights } = await sideNetKindOf(sidenet!).start(sidenet!, backbone, 1);
  const tensor = (name: string) => backbone.weights.get(`transformer.h.0.${name}`)!.data;
  assert.deepEqual(weights.get("layers.0.ln_1.weight")!.data, tensor("ln_1.weight"));
  assert.deepEqual(
    weights.get("layers.0.fc2.weight")!.data,
    tensor("mlp.fc_out.weight").map((x) => x / 2),
  );
});
