import { askQuestions } from "../examples/ask_questions.ts";
import { runChoice } from "../examples/custom_evaluation.ts";
import { compareIndexes } from "../examples/custom_index.ts";
import { readWithMemory, writeTinyLlama } from "../examples/hugging_face_model.ts";
import { rememberABook } from "../examples/remember_a_book.ts";
import { trainASideNet } from "../examples/train_a_sidenet.ts";
import { loadBackboneWeights } from "../src/checkpoint/checkpoint.ts";
import { convertStories } from "./checkpoint/stories260k.ts";
import { withFolder } from "./temporary_folder.ts";
import { assert, sharedPath, sharedTest, test } from "./testing.ts";

test("rememberABook() names facts with the book in memory that the backbone alone does not", async () => {
  const { asked, withMemory, withoutMemory, continuation } = await rememberABook(1);
  assert.ok(asked >= 20, `${asked} facts asked`);
  assert.ok(withMemory > asked / 2, `${withMemory} of ${asked} with memory`);
  assert.ok(withoutMemory < asked / 4, `${withoutMemory} of ${asked} without`);
  assert.match(continuation, /^\S+( \S+){23}$/);
});

test("askQuestions() asks the questions of a file, which a memory answers", () =>
  withFolder(async (folder) => {
    const { state, metrics } = await askQuestions(folder);
    assert.equal(state, "completed");
    const valueOf = (model: string, name: string) =>
      metrics.find((metric) => metric.model === model && metric.name === name)!.value;
    for (const name of ["accuracy", "exact match", "F1"]) {
      const alone = valueOf("backbone", name), remembering = valueOf("untrained-with-memory", name);
      assert.ok(alone < 0.5 && remembering > 0.7, `${name}: ${alone}, ${remembering}`);
      assert.equal(valueOf("untrained-with-memory", `${name} over backbone`), remembering - alone);
    }
    const gain = valueOf("untrained-with-memory", "log-likelihood over backbone");
    assert.ok(gain > 1, `${gain} nats`);
  }));

test("runChoice() runs a registered evaluation, whose questions a memory answers", () =>
  withFolder(async (folder) => {
    const { state, metrics } = await runChoice(folder);
    assert.equal(state, "completed");
    const valueOf = (model: string, name: string) =>
      metrics.find((metric) => metric.model === model && metric.name === name)!.value;
    const alone = valueOf("backbone", "accuracy");
    const remembering = valueOf("untrained-with-memory", "accuracy");
    assert.ok(alone < 0.5 && remembering > 0.7, `${alone}, ${remembering}`);
    assert.equal(valueOf("untrained-with-memory", "accuracy over backbone"), remembering - alone);
  }));

test("trainASideNet() learns to read a memory in 40 steps", () =>
  withFolder(async (folder) => {
    const { state, metrics } = await trainASideNet(folder);
    assert.equal(state, "completed");
    const valueOf = (model: string, name: string) =>
      metrics.find((metric) => metric.model === model && metric.name === name)!.value;
    const [alone, untrained, trained] = ["backbone", "untrained-with-memory", "longmem"]
      .map((model) => valueOf(model, "recall all far"));
    assert.ok(alone < 0.1 && untrained < trained - 0.03, `${alone}, ${untrained}, ${trained}`);
    const perplexities = ["untrained-with-memory", "longmem"]
      .map((model) => valueOf(model, "perplexity"));
    assert.ok(perplexities[1] < perplexities[0] - 0.2, `${perplexities}`);
  }));

test("compareIndexes() runs an index of its own, which finds more with more bits", () =>
  withFolder(async (folder) => {
    const recalls = Object.values(await compareIndexes(folder));
    const [exact, many, few] = recalls;
    assert.ok(exact > many && many > exact - 0.1 && few < many / 2, `${recalls}`);
  }));

test("readWithMemory() reads a text into the memory of a Hugging Face model", () =>
  withFolder(async (folder) => {
    await writeTinyLlama(folder);
    const { weights } = await loadBackboneWeights(folder);
    assert.equal([...weights.values()].reduce((sum, { data }) => sum + data.length, 0), 13_472);
    const text = "It was the best of times, it was the worst of times. ".repeat(12);
    const { tokens, remembered, alone, withMemory } = await readWithMemory(folder, text, 64);
    // A token for each byte; the last segment, its target and what fills no chunk are left out.
    assert.deepEqual([tokens, remembered], [636, 568]);
    assert.ok(Math.abs(alone - Math.log(257)) < 0.02, `${alone} nats by random weights`);
    assert.notEqual(withMemory, alone);
    await assert.rejects(
      readWithMemory(folder, "too short", 64),
      /Cannot read 9 tokens: allowed are 129 or more/,
    );
  }));

sharedTest(
  "readWithMemory() goes on with a story of a trained Llama",
  () =>
    withFolder(async (folder) => {
      await convertStories(sharedPath("data/models/stories260K"), folder);
      const story =
        "Once upon a time, there was a little girl named Lily. One day, she saw a big red ball. " +
        "A bird named Tim took the ball and gave it to Lily. They played all day and became good friends. ";
      const { alone, withMemory, continuation } = await readWithMemory(folder, story.repeat(3), 32);
      assert.ok(alone < 2 && withMemory < 2, `${alone}, ${withMemory} nats`);
      assert.match(continuation, /[Tt]hey|[Ll]ily/);
    }),
);
