/**
 * Tests that run on every engine: `cpu`, `wasm` and `webgpu`.
 *
 * A machine without a WebGPU adapter fails them, as a test that did not run must not look green;
 * LONGMEM_ALLOW_NO_GPU=1 ignores the `webgpu` ones there, loudly.
 */
import type { Device } from "../../src/runtime/device.ts";
import { openDevice } from "../../src/runtime/open_device.ts";
import { test } from "../testing.ts";

/** The engines under test. */
export const testedDevices = ["cpu", "wasm", "webgpu"] as const;

const opened = new Map<string, Promise<Device>>();

/** The device of a kind; all tests of a process share it. */
export function testedDevice(kind: typeof testedDevices[number]): Promise<Device> {
  const known = opened.get(kind);
  if (known) return known;
  const device = openDevice(kind);
  opened.set(kind, device);
  return device;
}

const gpuMayBeMissing = Deno.env.get("LONGMEM_ALLOW_NO_GPU") === "1";
const ignoresGpu = gpuMayBeMissing && !await navigator.gpu?.requestAdapter();
if (ignoresGpu) {
  // deno-lint-ignore no-console -- what is left out must be seen
  console.warn(
    '\n*** WebGPU has no adapter here and LONGMEM_ALLOW_NO_GPU=1: every test named "on webgpu" is ignored. ***\n',
  );
}

/**
 * Registers a test once for every device.
 *
 * @param options `kinds`: only these devices; `ignore`: registers it as ignored.
 */
export function deviceTest(
  name: string,
  run: (device: Device) => Promise<void>,
  options: { kinds?: readonly (typeof testedDevices[number])[]; ignore?: boolean } = {},
): void {
  for (const kind of options.kinds ?? testedDevices) {
    test({
      name: `${name} on ${kind}`,
      ignore: options.ignore || (kind === "webgpu" && ignoresGpu),
      // The shared device outlives the test that opened it.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => run(await testedDevice(kind)),
    });
  }
}

/** A device that compiles nothing, but notes the operators that it was asked to compile. */
export function notingDevice(device: Device): { device: Device; operators: Set<string> } {
  const operators = new Set<string>();
  const compile: Device["compile"] = ({ nodes }) => {
    for (const { op } of nodes) operators.add(op);
    return Promise.reject(new Error("Noted"));
  };
  const noting = new Proxy(device, {
    get(target, key) {
      if (key === "compile") return compile;
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { device: noting, operators };
}
