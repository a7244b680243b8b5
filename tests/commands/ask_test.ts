import { askCommand } from "../../src/commands/ask.ts";
import { generateCommand } from "../../src/commands/generate.ts";
import { rememberCommand } from "../../src/commands/remember.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, test } from "../testing.ts";
import { execute, recordedOutput } from "./recorded_output.ts";
import { tinyText, writeTinyRun } from "./tiny_run.ts";

test("ask prints the most likely line after the question, of a memory file or of documents", () =>
  withFolder(async (folder) => {
    await writeTinyRun(`${folder}/run`);
    await Deno.writeTextFile(`${folder}/cat.txt`, tinyText.slice(0, 600));
    const model = ["--run", `${folder}/run`, "--device", "cpu", "--tokens", "9"];
    const document = ["--document", `${folder}/cat.txt`], memory = `${folder}/cat.memory`;
    const run = ["--run", `${folder}/run`, "--device", "cpu"];
    await execute(rememberCommand(recordedOutput()), ...run, ...document, "--out", memory);
    const ask = async (...args: string[]) => {
      const said = recordedOutput();
      assert.equal(await execute(askCommand(said), ...model, ...args), 0);
      return said.printed;
    };
    const generated = recordedOutput(), prompt = "Question: Where is the cat?\nAnswer:";
    const greedy = ["--temperature", "0", "--prompt", prompt];
    await execute(generateCommand(generated), ...model, ...document, ...greedy);
    const [line] = generated.printed[0].slice(prompt.length).trim().split("\n");
    const question = "Where is the cat?";
    assert.deepEqual(await ask(...document, question), [line]);
    assert.deepEqual(await ask("--memory", memory, question), [line]);
    // The question is put into the prompt as it is.
    const whole = await ask("--memory", memory, "--prompt", "{question}", prompt);
    assert.deepEqual(whole, [line]);
    const dollars = await ask("--memory", memory, "--prompt", "The $& {question}", "hat");
    assert.deepEqual(
      dollars,
      await ask("--memory", memory, "--prompt", "{question}", "The $& hat"),
    );

    const usage = (message: RegExp) => ({ name: "UsageError", message });
    await assert.rejects(ask(...document), usage(/one question is needed.*current number is 0$/));
    await assert.rejects(ask(...document, "Where", "is"), usage(/current number is 2$/));
    await assert.rejects(ask(...document, " "), usage(/^Cannot ask as the question is empty$/));
    await assert.rejects(ask(question), usage(/neither --memory nor --document/));
    await assert.rejects(
      ask(...document, "--prompt", "Answer:", question),
      usage(/it must contain \{question\}, current value is "Answer:"$/),
    );
  }));
