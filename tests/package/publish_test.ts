import { pathToFileURL } from "node:url";
import { assert, repositoryPath, test } from "../testing.ts";

test("deno publish takes the sources as a package of JSR, and nothing beside them", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty"],
    cwd: repositoryPath(""),
    env: { NO_COLOR: "1" },
  }).output();
  const [listed, complaints] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.ok(success, complaints);
  const root = pathToFileURL(repositoryPath("")).href;
  const files = [...(listed + complaints).matchAll(/^ *(file:\S+) \(/gm)]
    .map(([, url]) => url.slice(root.length));
  for (const file of ["mod.ts", "library.ts", "src/system.ts", "src/memory/bank.wgsl"]) {
    assert.ok(files.includes(file), `${file} is missing: ${files}`);
  }
  assert.deepEqual(files.filter((file) => !/^(src\/.*|[\w.]+)$/.test(file)), []);
});
