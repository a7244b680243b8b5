import { currentEnvironment } from "../../src/results/environment.ts";
import { assert, repositoryPath, test } from "../testing.ts";

test("currentEnvironment() tells the exact versions of the packages that deno.json imports", async () => {
  const { packages, deno, cores } = await currentEnvironment();
  const { imports } = JSON.parse(await Deno.readTextFile(repositoryPath("deno.json")));
  for (const specifier of Object.values(imports) as string[]) {
    const exact = /^npm:((?:@[^/]+\/)?[^@/]+)@(\d[^/]*)/.exec(specifier);
    if (exact) assert.equal(packages[exact[1]], exact[2]);
  }
  assert.match(packages["zod"], /^\^?\d+\.\d+\.\d+$/);
  assert.equal(deno, Deno.version.deno);
  assert.equal(cores, navigator.hardwareConcurrency);
});

test("currentEnvironment() tells the engines' versions, and the commit without starting a process", async () => {
  const script = `
    const { currentEnvironment } = await import(Deno.args[0]);
    const { commit, dirty, packages } = await currentEnvironment();
    console.log(JSON.stringify({ commit, dirty, packages }));`;
  const read = async (...permissions: string[]) => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "--no-check", "--config"],
        ...[repositoryPath("deno.json"), "--allow-sys", ...permissions],
        ...[
          `data:application/typescript,${encodeURIComponent(script)}`,
          new URL("../../src/results/environment.ts", import.meta.url).href,
        ],
      ],
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.ok(text.startsWith("{"), new TextDecoder().decode(stderr));
    return JSON.parse(text);
  };
  const { commit, dirty, packages } = await read("--allow-read");
  const git = async (...args: string[]) => {
    const { stdout } = await new Deno.Command("git", { args, cwd: repositoryPath(".") }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  assert.equal(commit, await git("rev-parse", "HEAD"));
  const changes = (await git("status", "--porcelain", "--", ".", ":!results")).split("\n");
  assert.equal(
    dirty,
    changes.some((line) => /^([ MADRCU]|\?.*\.(ts|json|css|js|wgsl|\/)$)/.test(line)),
  );
  assert.match(packages["onnxruntime-node"], /^\d+\.\d+\.\d+$/);
  assert.match(packages["onnxruntime-web"], /^\d+\.\d+\.\d+$/);
  const part = await read(`--allow-read=${repositoryPath("src")},${repositoryPath("deno.json")}`);
  assert.equal(part.commit, undefined, "without permission to read all, no commit and no prompt");
});
