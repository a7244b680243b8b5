import { requestAdapter } from "../../src/runtime/open_device.ts";
import { deviceTest } from "../graph/devices.ts";
import { withFolder } from "../temporary_folder.ts";
import { assert, repositoryPath, test } from "../testing.ts";
import { measureSteps } from "./gpu.ts";

/** Runs the command; the path of the program is not that of the folder it runs in. */
async function gpu(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-all", repositoryPath("tests/bench/gpu.ts"), ...args],
    env: { COLUMNS: "100", NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

test("gpu has help that lists its steps, and names wrong ones", async () => {
  const help = await gpu("--help");
  assert.equal(help.code, 0);
  assert.match(
    help.stdout,
    /^deno task gpu \[STEP...\]\n[^]*tests \(the tests on webgpu\)[^]*--quick/,
  );
  const wrong = await gpu("--quick", "benhc");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^Cannot measure "benhc" as it is unknown: .*did you mean "bench"/m);
});

deviceTest(
  "gpu writes a report of a step with the adapter's name",
  () =>
    withFolder(async (folder) => {
      const out = `${folder}/report.md`;
      const { code, stdout, stderr } = await gpu("--quick", "--out", out, "tests");
      assert.equal(code, 0, stdout + stderr);
      const report = await Deno.readTextFile(out);
      const { description, device } = (await requestAdapter())!.info;
      assert.ok(report.startsWith(`# Measured on ${description || device}\n`), report);
      assert.match(report, /the numbers mean nothing[^]*\| maxBufferSize \| \d+ \|/);
      assert.match(
        report,
        /## tests\n\n`deno test .*'on webgpu'.*`: \d+ s\n\nok \| [1-9]\d* passed \| 0 failed/,
      );
    }),
  { kinds: ["webgpu"] },
);

deviceTest(
  "measureSteps() goes on after a command that fails, and reports it",
  () =>
    withFolder(async (folder) => {
      const out = `${folder}/new/report.md`;
      const failures = await measureSteps({
        adapter: (await requestAdapter())!,
        steps: {
          first: [{ args: ["eval", "console.log('## lost'); Deno.exit(3)"], keep: /none/ }],
          second: [
            {
              args: ["eval", "console.log('progress'); console.log('## kept')"],
              keep: /^## .*$/gm,
            },
            { args: ["eval", "console.log(Deno.env.get('LONGMEM_REQUIRE_GPU'))"] },
          ],
        },
        out,
        remarks: [],
      });
      assert.equal(failures, 1);
      const [, first, second] = (await Deno.readTextFile(out)).split(/^## /m);
      assert.match(first, /^first\n\n`deno eval .*`: \*\*failed\*\* after \d+ s\n\n#### lost\n/);
      assert.match(second, /^second\n\n`deno eval .*`: \d+ s\n\n#### kept\n\n`.*`: \d+ s\n\n1\n$/);
      assert.ok(!second.includes("progress\n"));
    }),
  { kinds: ["webgpu"] },
);
