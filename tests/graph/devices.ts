/**
 * Tests that run on every engine: `cpu`, `wasm` and `webgpu`.
 *
 * Where WebGPU has no adapter that can run them, the `webgpu` tests are ignored, with a loud remark;
 * LONGMEM_REQUIRE_GPU=1 makes that a failure, as in continuous integration, where a test that did not run must not look green.
 */
import { createHash } from "node:crypto";
import { encodeOnnx } from "../../src/graph/onnx.ts";
import type { Device, Session } from "../../src/runtime/device.ts";
import type { WebGpuDevice } from "../../src/runtime/webgpu_device.ts";
import { isSoftware, openDevice, requestAdapter } from "../../src/runtime/open_device.ts";
import { assert, test } from "../testing.ts";

/** The engines under test. */
export const testedDevices = ["cpu", "wasm", "webgpu"] as const;

const opened = new Map<string, Promise<Device>>();

/** The device of a kind; all tests of a process share it. */
export function testedDevice(kind: typeof testedDevices[number]): Promise<Device> {
  const known = opened.get(kind);
  if (known) return known;
  const device = openDevice(kind).then((device) => {
    // A GPU's sessions hold pipelines and buffers, which tests count.
    if (kind !== "webgpu") device.compile = compileOnce(device.compile);
    return device;
  });
  opened.set(kind, device);
  return device;
}

/**
 * Compiles each program once, as models of the tests often have the same graphs, and the engines compile much longer than they
 * run. A session keeps nothing between runs, so that those of the same program share one; a closed one still refuses to run.
 */
function compileOnce(compile: Device["compile"]): Device["compile"] {
  const compiled = new Map<string, Promise<Session>>();
  return async (program, options) => {
    const key = createHash("sha256").update(encodeOnnx(program)).digest("hex");
    const known = compiled.get(key) ?? compile(program, options);
    compiled.set(key, known);
    const session = await known;
    let isOpen = true;
    return {
      run(feeds, into) {
        assert.ok(isOpen, "a closed session is run");
        return session.run(feeds, into);
      },
      close() {
        assert.ok(isOpen, "a session is closed twice");
        isOpen = false;
        return Promise.resolve();
      },
    };
  };
}

const unusable = unusableAdapter(await requestAdapter());
if (unusable !== undefined && Deno.env.get("LONGMEM_REQUIRE_GPU") === "1") {
  throw new Error(`LONGMEM_REQUIRE_GPU=1 and the tests on webgpu cannot run: ${unusable}`);
}
// All files of a test run share the environment: the first one prints the remark.
const remarked = "LONGMEM_GPU_REMARK_PRINTED";
if (unusable !== undefined && !Deno.env.get(remarked)) {
  Deno.env.set(remarked, "1");
  // deno-lint-ignore no-console -- what is left out must be seen
  console.warn(`\n*** Every test named "on webgpu" is ignored: ${unusable}. ***\n`);
}

/** Why the tests on webgpu cannot run on an adapter, with the remedy; undefined where they can. */
export function unusableAdapter(
  adapter: Pick<GPUAdapter, "info" | "features"> | null,
): string | undefined {
  const remedy = "on Debian, apt-get install mesa-vulkan-drivers libvulkan1 gives it one";
  if (!adapter) return `WebGPU has no adapter here; ${remedy} that computes on the CPU`;
  // OpenGL's software adapter takes a minute to compile a shader; those of Vulkan have this feature, it does not.
  if (isSoftware(adapter) && !adapter.features.has("float32-filterable")) {
    return `WebGPU's only adapter here is OpenGL's software one ("${adapter.info.description}"), which takes hours; ` +
      `${remedy} of Vulkan`;
  }
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
      ignore: options.ignore || (kind === "webgpu" && unusable !== undefined),
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
  return { device: overridden(device, { compile }), operators };
}

/** A GPU of which kernels of our own may bind `bindingBytes` of a buffer at most; they are seen to bind no more. */
export function limitedDevice(
  device: Device,
  { bindingBytes, blockBytes = device.blockBytes }: { bindingBytes: number; blockBytes?: number },
): Device {
  const { gpu } = device as WebGpuDevice;
  const createBindGroup: GPUDevice["createBindGroup"] = (descriptor) => {
    for (const { resource } of descriptor.entries) {
      const { buffer, size = buffer.size } = resource as GPUBufferBinding;
      assert.ok(size <= bindingBytes, `a kernel binds ${size} bytes of ${buffer.label}`);
    }
    return gpu.createBindGroup(descriptor);
  };
  return overridden(device as WebGpuDevice, {
    ...{ bindingBytes, blockBytes },
    gpu: overridden(gpu, { createBindGroup }),
  });
}

/** An object with other properties, whose methods see the original. */
function overridden<T extends object>(object: T, properties: Partial<T>): T {
  return new Proxy(object, {
    get(target, key) {
      if (key in properties) return properties[key as keyof T];
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
