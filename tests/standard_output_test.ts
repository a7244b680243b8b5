import { unlessClosed } from "../src/standard_output.ts";
import { assert, repositoryPath, test } from "./testing.ts";

test("unlessClosed() forgives a closed terminal, and nothing else", () => {
  let calls = 0;
  const refusing = (code?: string) => () => {
    calls++;
    throw Object.assign(new Error("refused"), code === undefined ? {} : { code });
  };
  unlessClosed(() => calls++);
  unlessClosed(refusing("EIO"));
  assert.throws(() => unlessClosed(refusing("EPIPE")), /^Error: refused$/);
  assert.throws(() => unlessClosed(refusing()), /^Error: refused$/);
  assert.equal(calls, 4);
});

test("terminalSize() is 0 by 0 without a terminal", async () => {
  const module = `file://${repositoryPath("src/standard_output.ts")}`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--quiet",
      "--no-check",
      `const { terminalSize } = await import(${JSON.stringify(module)});
      console.log(JSON.stringify(terminalSize()));`,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  assert.equal(new TextDecoder().decode(stdout).trim(), '{"columns":0,"rows":0}');
});
