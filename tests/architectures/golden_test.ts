import { backbonePrefix } from "../../src/backbone/backbone_graph.ts";
import { loadBackboneWeights } from "../../src/checkpoint/checkpoint.ts";
import { loadLongMem } from "../../src/checkpoint/load.ts";
import { buildForward, headLogits } from "../../src/longmem/forward_graph.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Tensors } from "../../src/runtime/device.ts";
import { deviceTest } from "../graph/devices.ts";
import { assert, assertClose, hasShared, sharedTest } from "../testing.ts";
import { goldenModels, goldenPath, GoldenTensors } from "./golden_models.ts";

const tolerance = 1e-4;

for (const model of goldenModels) {
  deviceTest(
    `${model}: states, keys and values of every block are the official ones (needs shared)`,
    async (device) => {
      const golden = await GoldenTensors.read(model);
      const { data: tokens, shape: [B, T] } = golden.integers("input_ids");
      const { shape, weights } = await loadBackboneWeights(goldenPath(model));
      const forward = buildForward({
        network: "backbone",
        backbone: shape,
        rows: B,
        contextTokens: T,
        padded: false,
        blockBytes: device.blockBytes,
      });
      const { graph, backbone } = forward;
      graph.output("logits", headLogits(forward));
      graph.output("last_hidden_state", backbone.features);
      backbone.hiddenStates.forEach((h, i) => graph.output(`hidden_states/${i}`, h));
      backbone.heads.forEach(({ k, v }, i) => {
        graph.output(`keys_rotated/${i}`, k);
        graph.output(`values/${i}`, v);
        graph.output(`projected_keys/${i}`, backbone.projections[i].k);
      });
      const session = await compile(device, graph);
      const feeds: Tensors = { tokens: device.tensor(Int32Array.from(tokens), [B, T]) };
      for (const [name, tensor] of weights) {
        feeds[backbonePrefix + name] = device.tensor(tensor.data, tensor.shape);
      }
      const outputs = await session.run(feeds);
      const read = async (name: string) => await outputs[name].read() as Float32Array;
      const names = [...golden.content.tensors.keys()].filter((name) =>
        /^(logits|last_hidden_state|(hidden_states|keys_rotated|values)\/\d+)$/.test(name)
      );
      assert.ok(names.length >= 1);
      for (const name of names) {
        assertClose(await read(name), golden.floats(name).data, { tolerance, name });
      }
      for (let i = 0; golden.has(`keys/${i}`); i++) {
        const { data, shape: [, K, , D] } = golden.floats(`keys/${i}`);
        const projected = await read(`projected_keys/${i}`); // [B*T, K*D]
        const keys = data.map((_, at) => {
          const d = at % D, t = Math.floor(at / D) % T, h = Math.floor(at / D / T) % K;
          const b = Math.floor(at / D / T / K);
          return projected[(b * T + t) * K * D + h * D + d];
        });
        assertClose(keys, data, { tolerance, name: `keys/${i}` });
      }
      for (const tensor of [...Object.values(feeds), ...Object.values(outputs)]) tensor.dispose();
      await session.close();
    },
    {
      ignore: !hasShared,
      // The same weights from other files need no other engine.
      ...(model.includes("/") ? { kinds: ["cpu"] as const } : {}),
    },
  );

  sharedTest(`loadLongMem() of ${model} gives the official logits, losses and tokens`, async () => {
    const golden = await GoldenTensors.read(model);
    await using loaded = await loadLongMem({ backbone: goldenPath(model), device: "cpu" });
    const { data: ids, shape: [batch, T] } = golden.integers("input_ids");
    const tokens = Int32Array.from(ids), network = "backbone" as const;
    const { logits } = await loaded.forward(tokens, { batch, network });
    assertClose(logits, golden.floats("logits").data, { tolerance, name: "logits" });
    const targets = tokens.map((_, i) => (i + 1) % T === 0 ? 0 : tokens[i + 1]);
    const nll = await loaded.score(tokens, targets, { batch, network });
    const counted = nll.filter((_, i) => (i + 1) % T !== 0);
    const loss = counted.reduce((sum, x) => sum + x, 0) / counted.length;
    assertClose([loss], golden.floats("loss").data, { tolerance, name: "loss" });

    // Longer than a sliding window; each token is a pass of itself, by cached keys.
    const window = loaded.openWindow({ contextTokens: 40, network });
    let next = await window.append(tokens.subarray(0, 8));
    const greedy: number[] = [];
    for (let step = 0; step < 16; step++) {
      greedy.push(next.indexOf(Math.max(...next)));
      next = await window.append([greedy[step]]);
    }
    await window.close();
    assert.deepEqual(greedy, [...golden.integers("greedy").data]);
  });

  sharedTest(`loadLongMem() of ${model} takes padding as its lengths or mask say`, async () => {
    const golden = await GoldenTensors.read(model);
    if (!golden.has("padded/logits")) return; // the models of 16 bits have no padded batch
    await using loaded = await loadLongMem({ backbone: goldenPath(model), device: "cpu" });
    const { data, shape: [batch, T] } = golden.integers("padded/input_ids");
    const mask = golden.integers("padded/attention_mask").data, tokens = Int32Array.from(data);
    const { data: expected, shape: [, , V] } = golden.floats("padded/logits");
    const row = (values: Float32Array, b: number, count: number) =>
      values.subarray(b * T * V, (b * T + count) * V);
    const lengths = [T, T - 5], network = "backbone" as const;
    for (const padding of [{ lengths }, { mask }]) {
      const { logits } = await loaded.forward(tokens, { batch, network, ...padding });
      assert.ok(logits.every(Number.isFinite));
      lengths.forEach((count, b) =>
        assertClose(row(logits, b, count), row(expected, b, count), { tolerance })
      );
    }
    // Padding on the left, of any id, gives the row the positions that it has alone.
    const moved = Int32Array.from(tokens), movedMask = new Uint8Array(batch * T).fill(1);
    moved.set(tokens.subarray(T, 2 * T - 5), T + 5);
    moved.fill(7, T, T + 5);
    movedMask.fill(0, T, T + 5);
    const { logits } = await loaded.forward(moved, { batch, network, mask: movedMask });
    assertClose(logits.subarray((T + 5) * V, 2 * T * V), row(expected, 1, T - 5), { tolerance });
  });
}
