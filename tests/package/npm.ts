/**
 * Packages from the npm registry, where it can be reached.
 */
import { assert, test } from "../testing.ts";

const command = Deno.build.os === "windows" ? "npm.cmd" : "npm";

/** Runs a program in a folder and returns its output. */
export async function output(program: string, args: string[], folder: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  const [printed, complaints] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.ok(success, `${program} ${args.join(" ")}: ${printed}\n${complaints}`);
  return printed;
}

/** Runs npm in a folder and returns its output. */
export function npm(args: string[], folder: string): Promise<string> {
  return output(command, args, folder);
}

const required = Deno.env.get("LONGMEM_REQUIRE_REGISTRY") === "1";
const reachable = required ||
  await npm(["view", "onnxruntime-web@1.30.0", "version", "--fetch-retries=0"], ".")
    .then(() => true, () => false);
if (!reachable) {
  // deno-lint-ignore no-console -- what is left out must be seen
  console.warn(
    '\n*** npm or its registry is missing: every test named "(needs npm)" is ignored. ***\n' +
      "*** LONGMEM_REQUIRE_REGISTRY=1 makes these tests fail. ***\n",
  );
}

/** Registers a test that installs packages; it is ignored, loudly, where that is impossible, and fails where it is required. */
export function npmTest(name: string, fn: () => Promise<void>): void {
  test({ name: `${name} (needs npm)`, ignore: !reachable, fn });
}
