import type { Graph, GraphNode } from "../graph/graph.ts";
import { programOf, splitProgram } from "../graph/onnx.ts";
import type { CompileOptions, Device, DeviceTensor, Session, Tensors } from "./device.ts";
import { InputTypeError } from "../errors.ts";

/** Computes the outputs of a host node from its inputs. */
export type HostFunction = (inputs: readonly DeviceTensor[]) => Promise<DeviceTensor[]>;

/**
 * Compiles a graph. A graph with host nodes becomes several sessions, between which `hostFunctions` compute the nodes; the
 * tensors that cross stay on the device.
 */
export async function compile(
  device: Device,
  graph: Graph,
  options: CompileOptions & { hostFunctions?: Readonly<Record<string, HostFunction>> } = {},
): Promise<Session> {
  const parts = splitProgram(graph);
  if (!parts) return device.compile(programOf(graph), options);
  const functions = parts.hosts.map(({ op }) => {
    const compute = options.hostFunctions?.[op];
    if (compute) return compute;
    throw new InputTypeError(`Cannot compile a graph as host function "${op}" is missing`);
  });
  const sessions: (Session | undefined)[] = [];
  for (const [i, program] of parts.programs.entries()) {
    const isLast = i === parts.hosts.length, isEmpty = program.outputs.size === 0;
    sessions.push(isEmpty ? undefined : await device.compile(program, isLast ? options : {}));
  }
  return new SplitSession(sessions, parts.hosts, functions);
}

class SplitSession implements Session {
  constructor(
    /** One before each host node and one after the last; absent where there is nothing to compute. */
    readonly sessions: readonly (Session | undefined)[],
    readonly hosts: readonly GraphNode[],
    readonly functions: readonly HostFunction[],
  ) {}

  async run(feeds: Tensors, into?: Tensors): Promise<Tensors> {
    const crossing: Tensors = {};
    for (const [i, host] of this.hosts.entries()) {
      Object.assign(crossing, await this.sessions[i]?.run({ ...feeds, ...crossing }));
      const inputs = host.inputs.map((value) => crossing[value!.name] ?? feeds[value!.name]);
      const computed = await this.functions[i](inputs);
      host.outputs.forEach((value, output) => crossing[value.name] = computed[output]);
    }
    const outputs = await this.sessions.at(-1)!.run({ ...feeds, ...crossing }, into);
    for (const tensor of Object.values(crossing)) tensor.dispose();
    return outputs;
  }

  async close(): Promise<void> {
    for (const session of this.sessions) await session?.close();
  }
}
