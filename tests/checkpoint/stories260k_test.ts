import { defineExperiment, loadLongMem } from "../../mod.ts";
import { runExperiment } from "../../src/queue/run_experiment.ts";
import { tokenizeDocument } from "../../src/text/document_tokens.ts";
import { openTokenizer } from "../../src/text/tokenizers/tokenizers.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, sharedPath, sharedTest } from "../testing.ts";
import { convertStories } from "./stories260k.ts";

/** What the model is known to write where it always takes the most probable token, from nothing but `<s>`. */
const published =
  "Once upon a time, there was a little girl named Lily. She loved to play outside in the " +
  "park. One day, she saw a big, red ball. She wanted to play with it, but it was too high.\n" +
  "Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She said, " +
  '"I want to play with your ball, but I can\'t find it."\n';

/** A story of the kind that the model has read, but none that it writes itself. */
const story =
  "Tom had a small dog. The dog was brown and liked to run. One day, Tom and the dog went to the " +
  "park. They saw a big tree. The dog ran to the tree and found a ball. Tom was very happy. He said, " +
  '"Good dog!" They played with the ball all day. Then they went home and Tom gave the dog some food.';

const source = sharedPath("data/models/stories260K");

/** The converted model and its tokenizer, for a test. */
const withModel = (use: (model: string, folder: string) => Promise<void>) =>
  withFolder(async (folder) => {
    const model = `${folder}/model`;
    await convertStories(source, model);
    await use(model, folder);
  });

sharedTest(
  "A trained Llama continues its published text, and expects stories",
  () =>
    withModel(async (folder) => {
      const tokenizer = await openTokenizer({ kind: "file", path: `${folder}/tokenizer.json` });
      assert.deepEqual(tokenizer.specialIds, { bos: 1, eos: 2, unk: 0 });
      const memory = { capacityTokens: 64, chunkTokens: 4, retrievedTokens: 8 };
      const model = await loadLongMem({ backbone: folder, device: "cpu", memory });
      try {
        // One shape for all: what stands behind a token changes nothing before it.
        const T = 144, V = tokenizer.vocabSize;
        const tokens = new Int32Array(T).fill(tokenizer.specialIds.bos);
        let count = 1;
        while (!tokenizer.decode(tokens.subarray(0, count)).endsWith('find it."')) {
          assert.ok(count < T, tokenizer.decode(tokens));
          const { logits } = await model.forward(tokens, { network: "backbone" });
          const last = logits.subarray((count - 1) * V, count * V);
          tokens[count++] = last.indexOf(Math.max(...last));
        }
        assert.ok(count > 120, `${count} tokens`);
        const written = tokenizer.decode(tokens.subarray(0, count));
        assert.equal(written, published.slice(0, written.length));

        const perplexity = async (text: string) => {
          const { tokens } = tokenizeDocument({ name: "", text, sha256: "" }, tokenizer, {
            lines: "plain",
          });
          const nll = await model.score(tokens.subarray(0, -2), tokens.subarray(1, -1), {
            network: "backbone",
          });
          return Math.exp(nll.reduce((sum, value) => sum + value, 0) / nll.length);
        };
        const expected = await perplexity(story);
        // Of 512 equally probable tokens it would be 512.
        assert.ok(expected < 4, `perplexity of a story is ${expected}`);
        const mixed = await perplexity(story.split(" ").sort().join(" "));
        assert.ok(mixed > 2 * expected, `${mixed} of its words in another order, ${expected}`);
      } finally {
        await model.close();
      }
    }),
);

sharedTest(
  "LongMem adapts on a trained Llama, and its memory is used",
  () =>
    withModel(async (path, folder) => {
      for (const [i, split] of ["train", "valid", "test"].entries()) {
        await Deno.mkdir(`${folder}/corpus/${split}`, { recursive: true });
        const names = [["Tom", "Sue"], ["Ben", "Mia"], ["Sam", "Ann"]][i];
        for (const name of names) {
          const text = story.replaceAll("Tom", name).repeat(3);
          await Deno.writeTextFile(`${folder}/corpus/${split}/${name}.txt`, text);
        }
      }
      const { state, metrics } = await runExperiment(
        defineExperiment({
          name: "trained_llama",
          corpus: { folder: `${folder}/corpus`, train: "train", valid: "valid", test: "test" },
          tokenizer: { kind: "file", path: `${path}/tokenizer.json` },
          backbone: { kind: "checkpoint", path },
          sidenet: {
            reductionFactor: 1,
            memoryBlock: 3,
            initialization: { kind: "blocks", blocks: [0, 1, 2, 3, 4] },
          },
          memory: { capacityTokens: 256, chunkTokens: 4, retrievedTokens: 16 },
          adaptation: { batchSize: 2, contextTokens: 64, steps: 4, learningRate: 1e-3 },
          evaluations: [{
            kind: "perplexity",
            split: "test",
            batchSize: 2,
            models: ["backbone", "longmem", "longmem-memory-off", "untrained-with-memory"],
          }],
        }),
        { results: `${folder}/results`, device: "cpu" },
      );
      assert.equal(state, "completed");
      const of = (model: string) =>
        metrics.find((metric) => metric.name === "perplexity" && metric.model === model)!.value;
      const summary = JSON.stringify(metrics.filter(({ name }) => name === "perplexity"));
      assert.ok(of("backbone") < 5, summary);
      assert.ok(of("longmem") < of("untrained-with-memory"), `training helps: ${summary}`);
      const withoutMemory = of("longmem-memory-off");
      assert.ok(Math.abs(of("longmem") - withoutMemory) > 1e-3, `the memory is read: ${summary}`);
    }),
);
