/**
 * What every test shares: the test function, assertions, and where the reference material lies.
 * Tests import `test` and `assert` from here, so that another test library is a change of one file.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

export { assert };

/** Registers a test. */
export const test: typeof Deno.test = Deno.test;

const root = new URL("../", import.meta.url);

/** Folder of reference material and real data, `../shared` beside the repository unless LONGMEM_SHARED says otherwise. */
const sharedFolder = Deno.env.get("LONGMEM_SHARED") ?? fileURLToPath(new URL("../shared", root));

/** Absolute path inside the repository. */
export function repositoryPath(path: string): string {
  return fileURLToPath(new URL(path, root));
}

/** Absolute path inside the folder of reference material. */
export function sharedPath(path: string): string {
  return `${sharedFolder}/${path}`;
}

/** Absolute path of a golden fixture. */
export function fixturePath(name: string): string {
  return sharedPath(`reference/fixtures/${name}`);
}

/** Whether the reference material is there. */
export const hasShared = exists(fixturePath("config.json"));
if (!hasShared) {
  // deno-lint-ignore no-console -- what is left out must be seen
  console.warn(
    `\n*** Reference material is missing at ${sharedFolder}: every test named "(needs shared)" is ignored. ***\n` +
      `*** Set LONGMEM_SHARED to its folder to run them. ***\n`,
  );
}

/** Registers a test that reads reference material; it is ignored, loudly, where that is missing. */
export function sharedTest(name: string, fn: (t: Deno.TestContext) => void | Promise<void>): void {
  Deno.test({ name: `${name} (needs shared)`, ignore: !hasShared, fn });
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Asserts that two arrays agree element by element within an absolute tolerance; reports the worst element. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  options: { tolerance: number; name?: string },
): void {
  const name = options.name ?? "array";
  assert.equal(actual.length, expected.length, `${name}: lengths differ`);
  let worst = -1, worstDifference = -1;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference <= worstDifference)) {
      worst = i;
      worstDifference = difference;
      if (Number.isNaN(difference)) break;
    }
  }
  assert.ok(
    worst < 0 || worstDifference <= options.tolerance,
    `${name}: element ${worst} of ${actual.length} is ${actual[worst]}, expected ${
      expected[worst]
    }: ` +
      `difference ${worstDifference}, tolerance ${options.tolerance}`,
  );
}
