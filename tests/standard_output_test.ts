import { unlessClosed, writeOut } from "../src/standard_output.ts";
import { assert, repositoryPath, test } from "./testing.ts";

test("writeOut() says that its output is closed", () => {
  const { writeSync } = Deno.stdout;
  const failing = (code: string) => () => {
    throw Object.assign(new Error("refused"), { code });
  };
  try {
    Deno.stdout.writeSync = failing("EPIPE");
    assert.throws(() => writeOut("a"), { name: "ClosedOutputError" });
    unlessClosed(() => writeOut("a"));
    Deno.stdout.writeSync = failing("ENOSPC");
    assert.throws(() => unlessClosed(() => writeOut("a")), /^Error: refused$/);
  } finally {
    Deno.stdout.writeSync = writeSync;
  }
});

test("unlessClosed() forgives a closed terminal or pipe, and nothing else", () => {
  let calls = 0;
  const refusing = (code?: string) => () => {
    calls++;
    throw Object.assign(new Error("refused"), code === undefined ? {} : { code });
  };
  unlessClosed(() => calls++);
  unlessClosed(refusing("EIO"));
  unlessClosed(refusing("EPIPE"));
  assert.throws(() => unlessClosed(refusing("ENOSPC")), /^Error: refused$/);
  assert.throws(() => unlessClosed(refusing()), /^Error: refused$/);
  assert.equal(calls, 5);
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
