/**
 * A network is a file and a line: one is registered here with the model under test that trains and reads it, and declared,
 * estimated, run, recorded, tabulated and reported without any other change.
 */
import { join } from "node:path";
import { backboneForward, blockName } from "../../src/backbone/backbone_graph.ts";
import { localAttention } from "../../src/backbone/heads.ts";
import type { BackboneShape } from "../../src/backbone/shape.ts";
import { describeRuns } from "../../src/commands/dry_run.ts";
import { metricCatalog, readReportedRun } from "../../src/evaluation/metric_catalog.ts";
import { models } from "../../src/evaluation/models.ts";
import { inWindow } from "../../src/evaluation/models/in_window.ts";
import type { EvaluatedModel, Experiment } from "../../src/experiment/declaration.ts";
import { resolveSweep } from "../../src/experiment/resolve.ts";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import { mul } from "../../src/graph/ops/mul.ts";
import { jointAttention } from "../../src/longmem/joint_attention.ts";
import { LongMem } from "../../src/longmem/longmem.ts";
import { memoryReader, type NetworkKind, type NotedRetrieval } from "../../src/longmem/network.ts";
import { type Network, networks } from "../../src/longmem/networks.ts";
import type { OtherPart } from "../../src/longmem/parts.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { currentEnvironment } from "../../src/results/environment.ts";
import { experimentTables } from "../../src/results/evaluation_table.ts";
import { experimentReport } from "../../src/results/report.ts";
import { formatTables } from "../../src/results/table.ts";
import { compareDeterminants } from "../../src/runner/training_identity.ts";
import { elementCount } from "../../src/tensor.ts";
import { deviceTest } from "../graph/devices.ts";
import { randomTokens, smallParts } from "../longmem/random_model.ts";
import { smallChronicle, smallTraining } from "../runner/small_chronicle.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, assertClose, test } from "../testing.ts";

/** A block of the frozen backbone that reads what it has remembered, by gates; a gain scales the head's input. */
interface GatedShape {
  readonly block: number;
}

const gate = "block.memory_bias", gain = "gain";

function gatedTensors(_part: GatedShape, { heads, hiddenDim }: BackboneShape) {
  return new Map([[gate, [heads]], [gain, [hiddenDim]]]);
}

const gatedNetwork: NetworkKind<GatedShape> = {
  part: {
    lack: "no block is gated",
    weights: {
      name: "gated",
      label: "the gated block",
      prefix: "gated.",
      tensors: gatedTensors,
      layers: () => [],
    },
  },
  memory: { blocks: ({ block }) => [block], tells: "chunks" },
  followsCache: true,
  forward({ graph, tokens, frozen, part: { block }, weights, batch, options }) {
    const retrieved: NotedRetrieval[] = [];
    const backbone = backboneForward(tokens, frozen, options.backbone, {
      ...batch,
      attention(i, heads) {
        const local = localAttention(heads, batch, { layer: blockName(i) });
        if (i !== block || !options.memory) return local;
        const reader = memoryReader(graph, options.memory, options, { retrieved });
        return jointAttention(local, heads, weights(gate), reader);
      },
    });
    const features = mul(backbone.features, weights(gain));
    return { backbone, cached: [backbone.projections[block]], retrieved, features };
  },
};

/** The type of networks does not know it. */
const network = "gated-block" as Network;

/** The network's part: the gain does nothing, and gates are open by half. */
function gatedPart(block: number, backbone: { readonly shape: BackboneShape }): OtherPart {
  const shape = { block };
  const weights = new Map(
    [...gatedTensors(shape, backbone.shape)].map(([name, sizes]) => {
      const data = new Float32Array(elementCount(sizes)).fill(name === gain ? 1 : 0);
      return [name, { shape: sizes, data }];
    }),
  );
  return { network, shape, weights };
}

const gatedModel = inWindow("gated-block", {
  needs: ["sidenet", "memory", "adaptation"],
  readsMemory: true,
  fillsMemory: true,
  label: "a gated block",
  adaptation: {
    name: "gate",
    hashName: "gated block",
    start: ({ sideNet, ...parts }) => ({
      ...parts,
      other: gatedPart(sideNet.shape.memoryBlock, parts.backbone),
    }),
    network,
    part: ({ memoryBlock }) => ({ block: memoryBlock }),
    operationsPerParameter: 4,
    fields: ["sidenet", "adaptation", "memory"],
  },
});

const declared = {
  name: "network",
  ...smallChronicle,
  adaptation: { ...smallTraining, learningRate: 0.1 },
  evaluations: [{
    kind: "perplexity",
    split: "test",
    models: ["backbone", "gated-block", {
      model: "gated-block",
      windowTokens: 32,
    }] as unknown as EvaluatedModel[],
  }],
  device: "cpu",
} satisfies Experiment;

test("A network is registered with its model, trained, run and reported, with no other change", async () => {
  const resolve = () => resolveSweep("network.ts", declared, { assignments: [] });
  assert.throws(resolve, /models\.1 has a wrong value: current value is "gated-block"/);
  using _network = networks.register(network, gatedNetwork as NetworkKind);
  using _model = models.register("gated-block", gatedModel as never);
  await withFolder(async (results) => {
    const described = await describeRuns(resolve(), results, await currentEnvironment());
    assert.match(described, /train gate: 2 steps/);

    const run = await runExperiment(declared, { results });
    assert.equal(run.state, "completed");
    const folder = join(results, "network", run.run);
    const record = join(folder, "checkpoint", "gate");
    const { tensors } = await readSafetensors(join(record, "weights.safetensors"));
    assert.deepEqual([...tensors.keys()].sort(), [gate, gain]);
    assert.ok(tensors.get(gate)!.data.every((x) => x !== 0), "the gates have learnt");
    assert.ok(tensors.get(gain)!.data.every((x) => x !== 1), "the gain has learnt");
    const { hashes } = JSON.parse(await Deno.readTextFile(join(folder, "environment.json")));
    assert.match(hashes["gated block"], /^[0-9a-f]{64}$/);
    const { determinedBy } = JSON.parse(await Deno.readTextFile(join(record, "phase.json")));
    assert.deepEqual(determinedBy.gated.shape, { block: 1 });
    const { changes } = compareDeterminants(determinedBy, { ...determinedBy, gated: {} });
    assert.match(changes.join(), /^the gated block it starts from \(/);

    const values = run.metrics.filter(({ name }) => name === "perplexity");
    assert.deepEqual(
      values.map(({ model }) => model),
      ["backbone", "gated-block", "gated-block-window-32"],
    );
    assert.equal(new Set(values.map(({ value }) => value)).size, 3);
    const [tables] = experimentTables([await readReportedRun(folder)], metricCatalog);
    assert.match(formatTables([tables], "md"), /\| gated-block +\| /);
    const { html } = experimentReport(tables, metricCatalog);
    assert.ok(html.includes("gated-block: 16 tokens and 64 in memory"));
  });
});

deviceTest(
  "A registered network reads and writes its memory, and goes on token by token",
  async (device) => {
    using _network = networks.register(network, gatedNetwork as NetworkKind);
    const { backbone, sideNet, memory } = smallParts();
    const [document, tokens] = [randomTokens(24, "document"), randomTokens(8, "tokens")];
    await using model = new LongMem(device, { backbone, memory, other: gatedPart(2, backbone) });
    const forward = async (network?: Network) => {
      const { logits } = await model.forward(tokens, {
        readOnly: true,
        ...(network && { network }),
      });
      return logits;
    };
    const alone = await forward("backbone");
    assertClose(await forward(), alone, { tolerance: 1e-5 });
    await model.remember(document);
    const remembering = await forward();
    assert.ok(remembering.some((logit, i) => Math.abs(logit - alone[i]) > 1e-2), "it remembers");
    const { ages } = await model.retrieved(tokens);
    const { starts, nllWithout } = await model.explain(tokens, tokens);
    assert.ok(ages.every((age) => age >= 0) && starts.every((start) => start >= 0));
    assert.deepEqual(nllWithout, await model.score(tokens, tokens, { network: "backbone" }));
    const window = model.openWindow({ contextTokens: 8 });
    let grown = await window.append(tokens.slice(0, 1));
    for (const id of tokens.slice(1)) grown = await window.append([id]);
    await window.close();
    assertClose(grown, remembering.slice(-grown.length), { tolerance: 1e-4 });

    // What a frozen block has written, a SideNet of that block can read.
    const reader = { ...sideNet, shape: { ...sideNet.shape, memoryBlock: 2 } };
    await using longMem = new LongMem(device, { backbone, memory, sideNet: reader });
    await longMem.restoreMemory(await model.memoryBytes());
    assert.deepEqual(longMem.memoryFillChunks, model.memoryFillChunks);

    await assert.rejects(longMem.forward(tokens, { network }), {
      name: "TypeError",
      message: 'Cannot run network "gated-block" as no block is gated',
    });
  },
  { kinds: ["cpu"] },
);
