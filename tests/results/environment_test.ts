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

test("currentEnvironment() tells the commit where git may be asked", async () => {
  const { state } = await Deno.permissions.query({ name: "run", command: "git" });
  const { commit, dirty } = await currentEnvironment();
  if (state !== "granted") return assert.equal(commit, undefined);
  const git = async (...args: string[]) => {
    const { stdout } = await new Deno.Command("git", { args, cwd: repositoryPath(".") }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  assert.equal(commit, await git("rev-parse", "HEAD"));
  assert.equal(dirty, await git("status", "--porcelain", "--", ".", ":!results") !== "");
});
