import { type CommandArguments, type Flag, lastValue } from "../command_line.ts";
import type { DeviceChoice } from "../experiment/declaration.ts";
import { deviceKinds } from "../runtime/device.ts";

/** `--device`: the engine of a command that runs a model. */
export const deviceFlag: Flag = {
  name: "device",
  value: "DEVICE",
  allowed: deviceKinds,
  help: "where to run (default auto)",
};

/** What `--device` says; undefined where it was not given. */
export function deviceOf(args: CommandArguments): DeviceChoice | undefined {
  return lastValue(args, "device") as DeviceChoice | undefined;
}
