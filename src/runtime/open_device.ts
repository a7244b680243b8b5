import type { Device, DeviceKind } from "./device.ts";
import { type HostDeviceOptions, openHostDevice } from "./host_device.ts";
import { openWebGpuDevice } from "./webgpu_device.ts";
import { InputError, messageOf } from "../errors.ts";
import { webGpu } from "../system.ts";

export type OpenDeviceOptions = Omit<HostDeviceOptions, "reason">;

/**
 * Opens a device. `auto` takes the GPU where WebGPU has an adapter that is not a software one, else the native CPU
 * engine, else WebAssembly; `device.reason` says which and why.
 *
 * @throws Error if the asked device cannot be had, with the reason.
 */
export async function openDevice(
  kind: DeviceKind | "auto" = "auto",
  options: OpenDeviceOptions = {},
): Promise<Device> {
  switch (kind) {
    case "webgpu": {
      const adapter = await requestAdapter();
      if (!adapter) {
        throw new InputError(
          "Cannot open device webgpu as WebGPU has no adapter here: allowed are cpu, wasm, auto",
        );
      }
      return openWebGpuDevice(adapter, { reason: "asked for" });
    }
    case "cpu":
    case "wasm":
      return openHostDevice(kind, { ...options, reason: "asked for" });
    case "auto":
      return openBest(options);
    default:
      return kind satisfies never;
  }
}

async function openBest(options: OpenDeviceOptions): Promise<Device> {
  const adapter = await requestAdapter();
  if (adapter && !isSoftware(adapter)) {
    return openWebGpuDevice(adapter, { reason: "auto: WebGPU has a hardware adapter" });
  }
  const why = adapter ? "WebGPU's adapter is a software one" : "WebGPU has no adapter";
  try {
    return await openHostDevice("cpu", { ...options, reason: `auto: ${why}` });
  } catch (error) {
    return openHostDevice("wasm", {
      reason: `auto: ${why}, and the native engine does not load (${messageOf(error)})`,
    });
  }
}

/** The adapter of WebGPU, the fastest one; null where there is none. */
export async function requestAdapter(): Promise<GPUAdapter | null> {
  return await webGpu()?.requestAdapter({ powerPreference: "high-performance" }) ?? null;
}

/** Whether an adapter computes on the CPU (Mesa's llvmpipe, SwiftShader, WARP). */
export function isSoftware(adapter: Pick<GPUAdapter, "info">): boolean {
  const { vendor, architecture, device, description } = adapter.info;
  return /llvmpipe|lavapipe|swiftshader|software|basic render|\bwarp\b/i.test(
    [vendor, architecture, device, description].join(" "),
  );
}
