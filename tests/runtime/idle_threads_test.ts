import { assert, repositoryPath, test } from "../testing.ts";

const script = `
import process from "node:process";
const { Graph } = await import(SRC + "graph/graph.ts");
const { matmul } = await import(SRC + "graph/ops/matmul.ts");
const { compile } = await import(SRC + "runtime/compile.ts");
const { openDevice } = await import(SRC + "runtime/open_device.ts");
const device = await openDevice("cpu", { threads: 2 });
const graph = new Graph(), shape = [256, 256];
graph.output("y", matmul(graph.input("a", shape), graph.input("b", shape)));
const session = await compile(device, graph), a = device.zeros(shape);
const used = [];
for (let i = 0; i < 6; i++) {
  await session.run({ a, b: a });
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { user, system } = process.cpuUsage(before);
  used.push((user + system) / 1000);
}
console.log(Math.min(...used));
Deno.exit(0);
`;

test("threads of a session on a CPU give up their processors soon after a run", async () => {
  const source = `const SRC = ${JSON.stringify(`file://${repositoryPath("src/")}`)};${script}`;
  const args = ["run", "-A", "--no-check", "--ext=ts", "-"];
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: repositoryPath("."),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  await new Response(source).body!.pipeTo(child.stdin);
  const { code, stdout } = await child.output();
  assert.equal(code, 0);
  // Milliseconds of processor time while nothing runs; by the engine's default it is 30 and more.
  const used = Number(new TextDecoder().decode(stdout));
  assert.ok(used < 12, `${used} ms of processor time in 100 ms without a run`);
});
