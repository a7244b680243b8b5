import { Interruption } from "../../src/queue/interruption.ts";
import { assert, test } from "../testing.ts";

/** An interruption whose pauses end when the test says so. */
function interruption() {
  const calls: string[] = [];
  const pauses: (() => void)[] = [];
  const listening = new Interruption({
    onStop: () => calls.push("stop"),
    onStopAtOnce: () => calls.push("at once"),
    pause: (milliseconds) => {
      calls.push(`${milliseconds} ms`);
      return new Promise((done) => pauses.push(done));
    },
  });
  /** Ends the pause that is being waited for. */
  const passPause = async () => {
    pauses.shift()!();
    await new Promise((done) => setTimeout(done));
  };
  return { listening, calls, passPause };
}

test("Interruption takes signals within a second for one, and a later one for a second", async () => {
  const { listening, calls, passPause } = interruption();
  using _ = listening;
  assert.equal(listening.signal.aborted, false);
  listening.handle();
  listening.handle();
  assert.equal(listening.signal.aborted, true);
  assert.equal(listening.signal.reason.name, "AbortError");
  for (let i = 0; i < 10; i++) {
    listening.handle();
    await passPause();
  }
  assert.deepEqual(calls, ["stop", ...Array(10).fill("100 ms")]);
  listening.handle();
  listening.handle();
  assert.deepEqual(calls.slice(11), ["at once", "at once"]);
});

test("Interruption hears every signal that ends a process, until it is disposed of", async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    const module = import.meta.resolve("../../src/queue/interruption.ts");
    const source = `const { Interruption } = await import(${JSON.stringify(module)});
      const interruption = new Interruption({ onStop: () => {}, onStopAtOnce: () => {} });
      console.log("ready");
      const timer = setInterval(() => {}, 1000);
      interruption.signal.addEventListener("abort", () => {
        console.log("aborted");
        clearInterval(timer);
        interruption[Symbol.dispose]();
        console.log("disposed");
      });`;
    const process = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "--no-check", source],
      stdout: "piped",
    }).spawn();
    let text = "";
    for await (const part of process.stdout.pipeThrough(new TextDecoderStream())) {
      if (text === "" && part.includes("ready")) process.kill(signal as Deno.Signal);
      text += part;
    }
    const { code } = await process.status;
    assert.deepEqual([text, code], ["ready\naborted\ndisposed\n", 0], signal);
  }
});
