import { readQuestions } from "../../src/text/questions.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";

test("readQuestions() reads answers and choices, and says which line is wrong and why", () =>
  withFolder(async (folder) => {
    const path = `${folder}/questions.jsonl`;
    const read = async (...lines: unknown[]) => {
      const text = lines.map((line) => typeof line === "string" ? line : JSON.stringify(line));
      await Deno.writeTextFile(path, text.join("\n"));
      return (await readQuestions(path)).questions;
    };
    const first = { context: "A hat is red.", question: "What is red?", answers: ["a hat", "hat"] };
    const second = {
      id: "two",
      question: "Red?",
      choices: ["yes", "no"],
      answer: "no",
      cluster: "c",
    };
    assert.deepEqual(await read(first, "", second, ""), [
      { id: "1", ...first },
      {
        id: "two",
        context: "",
        question: "Red?",
        choices: ["yes", "no"],
        answers: ["no"],
        cluster: "c",
      },
    ]);
    const wrong: [unknown[], RegExp][] = [
      [[first, "{"], /Cannot read line 2 of ".*questions\.jsonl" as it is not JSON/],
      [[first, { ...second, id: "1" }], /line 2 of ".*" as its id is taken: current value is "1"$/],
      [[{ ...first, question: " " }], /line 1 of ".*" as question is wrong: must be text/],
      [[{ ...first, contxt: "" }], /line 1 of ".*" as it is wrong: .*contxt/],
      [[{ ...first, answers: [] }], /as answers is wrong: must have an answer$/],
      [[{ question: "Why?" }], /must have either answers, or choices and answer$/],
      [[{ ...first, ...second }], /must have either answers, or choices and answer$/],
      [[{ ...second, answer: "maybe" }], /must be one of its choices: current value is "maybe"$/],
      [[{ ...second, choices: ["no", "no"] }], /two of its choices are the same$/],
      [[""], /as it has no question$/],
    ];
    for (const [lines, message] of wrong) await assert.rejects(read(...lines), message);
    await assert.rejects(readQuestions(`${folder}/none`), { name: "NotFound" });
  }));
