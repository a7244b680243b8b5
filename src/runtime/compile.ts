import type { Graph, GraphNode } from "../graph/graph.ts";
import { programOf, splitProgram } from "../graph/onnx.ts";
import type { CompileOptions, Device, DeviceTensor, Session, Tensors } from "./device.ts";
import { InputTypeError } from "../errors.ts";

/** Computes the outputs of a host node from its inputs. */
export type HostFunction = (inputs: readonly DeviceTensor[]) => Promise<DeviceTensor[]>;

/**
 * Compiles a graph. A graph with a host node becomes two sessions, between which `hostFunctions` computes the node; the
 * tensors that cross stay on the device.
 */
export async function compile(
  device: Device,
  graph: Graph,
  options: CompileOptions & { hostFunctions?: Readonly<Record<string, HostFunction>> } = {},
): Promise<Session> {
  const parts = splitProgram(graph);
  if (!parts) return device.compile(programOf(graph), options);
  const compute = options.hostFunctions?.[parts.host.op];
  if (!compute) {
    throw new InputTypeError(
      `Cannot compile a graph as host function "${parts.host.op}" is missing`,
    );
  }
  const before = await device.compile(parts.before);
  const after = await device.compile(parts.after, options);
  return new SplitSession(before, after, parts.host, compute);
}

class SplitSession implements Session {
  constructor(
    readonly before: Session,
    readonly after: Session,
    readonly host: GraphNode,
    readonly compute: HostFunction,
  ) {}

  async run(feeds: Tensors, into?: Tensors): Promise<Tensors> {
    const crossing = await this.before.run(feeds);
    const inputs = this.host.inputs.map((value) => crossing[value!.name]);
    const computed = await this.compute(inputs);
    const answers = Object.fromEntries(
      this.host.outputs.map((value, i) => [value.name, computed[i]]),
    );
    const outputs = await this.after.run({ ...feeds, ...crossing, ...answers }, into);
    for (const tensor of [...Object.values(crossing), ...computed]) tensor.dispose();
    return outputs;
  }

  async close(): Promise<void> {
    await this.before.close();
    await this.after.close();
  }
}
