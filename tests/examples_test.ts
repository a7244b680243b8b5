import { runChoice } from "../examples/custom_evaluation.ts";
import { rememberABook } from "../examples/remember_a_book.ts";
import { withFolder } from "./temporary_folder.ts";
import { assert, test } from "./testing.ts";

test("rememberABook() names facts with the book in memory that the backbone alone does not", async () => {
  const { asked, withMemory, withoutMemory, continuation } = await rememberABook(1);
  assert.ok(asked >= 20, `${asked} facts asked`);
  assert.ok(withMemory > asked / 2, `${withMemory} of ${asked} with memory`);
  assert.ok(withoutMemory < asked / 4, `${withoutMemory} of ${asked} without`);
  assert.match(continuation, /^\S+( \S+){23}$/);
});

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
