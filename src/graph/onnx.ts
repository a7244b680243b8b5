import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import type { Attributes, ConstantData, Graph, GraphNode, Value } from "./graph.ts";
import { onnxType } from "./ops/cast.ts";

/** IR version 9 and operator set 20: the newest that all engines run (Gelu came with 20). */
const irVersion = 9n, opset = 20n;

/** A program for an engine: nodes in order of execution, the values that are fed and those that come back. */
export interface Program {
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly Value[];
  readonly constants: readonly { value: Value; data: ConstantData }[];
  readonly outputs: ReadonlyMap<string, Value>;
}

/** The part of a graph that its outputs depend on. */
export function programOf(graph: Graph): Program {
  return program(graph, graph.outputs, new Set());
}

/** Domain of nodes that no engine runs: the host computes their outputs between two programs. */
export const hostDomain = "host";

/** A graph that is cut at its host nodes. */
export interface SplitProgram {
  /** One before each host node and one after the last. */
  readonly programs: readonly Program[];
  /** In the order in which the host computes them. */
  readonly hosts: readonly GraphNode[];
}

/**
 * Cuts a graph at its host nodes: the program before a host node computes the node's inputs, and what these need that no earlier
 * program has computed; the last one computes all else. Values that a later program or host node needs become outputs of the one
 * and inputs of the others. Undefined if there is no host node.
 */
export function splitProgram(graph: Graph): SplitProgram | undefined {
  const whole = programOf(graph);
  const hosts = whole.nodes.filter((node) => node.domain === hostDomain);
  if (hosts.length === 0) return undefined;
  const named = (values: Iterable<Value>) =>
    new Map([...values].map((value) => [value.name, value]));

  /** Number of the program that computes a node, or before which the host does. */
  const stages = new Map<GraphNode, number>();
  const given = new Set<Value>();
  hosts.forEach((host, stage) => {
    const inputs = host.inputs.filter((value) => value !== undefined);
    for (const node of program(graph, named(inputs), given).nodes) {
      stages.set(node, stage);
      for (const output of node.outputs) given.add(output);
    }
    for (const output of host.outputs) given.add(output);
  });
  const last = hosts.length;
  const stageOf = (node: GraphNode) => stages.get(node) ?? last;

  /** Values that the program of a stage leaves to later ones, or to the host. */
  const left = hosts.map(() => new Set<Value>());
  const use = (value: Value | undefined, stage: number) => {
    if (!value?.node || value.node.domain === hostDomain) return;
    const computed = stageOf(value.node);
    if (computed < stage) left[computed].add(value);
  };
  for (const node of whole.nodes) {
    const host = hosts.indexOf(node);
    // A host node follows the program of its number.
    for (const value of node.inputs) use(value, host < 0 ? stageOf(node) : host + 1);
  }
  for (const value of graph.outputs.values()) use(value, last);

  const before = new Set<Value>();
  const programs = hosts.map((host, stage) => {
    const made = program(graph, named(left[stage]), before);
    for (const value of [...left[stage], ...host.outputs]) before.add(value);
    return made;
  });
  return { programs: [...programs, program(graph, graph.outputs, before)], hosts };
}

/** What `outputs` depend on, going back to inputs, constants and the values `given`. */
function program(
  graph: Graph,
  outputs: ReadonlyMap<string, Value>,
  given: ReadonlySet<Value>,
): Program {
  const nodes = new Set<GraphNode>();
  const leaves = new Set<Value>();
  const stack = [...outputs.values()];
  while (stack.length > 0) {
    const value = stack.pop()!;
    if (!value.node || given.has(value)) leaves.add(value);
    else if (!nodes.has(value.node)) {
      nodes.add(value.node);
      for (const input of value.node.inputs) if (input) stack.push(input);
    }
  }
  return {
    nodes: graph.nodes.filter((node) => nodes.has(node)),
    inputs: [...graph.inputs.values(), ...given].filter((value) => leaves.has(value)),
    constants: [...graph.constants.values()].filter(({ value }) => leaves.has(value)),
    outputs,
  };
}

/** Encodes a program as an ONNX model. */
export function encodeOnnx({ nodes, inputs, constants, outputs }: Program): Uint8Array {
  // A value that a node computes takes the name of its output; one that has a name already is copied.
  const names = new Map<Value, string>();
  const copies: MessageInitShape<typeof NodeProtoSchema>[] = [];
  const given = new Set<Value | undefined>(inputs);
  for (const [name, value] of outputs) {
    if (value.node && !given.has(value) && !names.has(value)) names.set(value, name);
    else {copies.push({
        name: `output ${name}`,
        opType: "Identity",
        input: [nameOf(value)],
        output: [name],
      });}
  }
  function nameOf(value: Value | undefined): string {
    return value ? names.get(value) ?? value.name : "";
  }
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion,
      producerName: "longmem-lab",
      opsetImport: [{ domain: "", version: opset }, { domain: "com.microsoft", version: 1n }],
      graph: {
        name: "graph",
        node: [
          ...nodes.map((node) => ({
            name: node.outputs[0].name,
            opType: node.op,
            domain: node.domain,
            input: node.inputs.map(nameOf),
            output: node.outputs.map(nameOf),
            attribute: encodeAttributes(node.attributes),
          })),
          ...copies,
        ],
        initializer: constants.map((
          { value, data },
        ): MessageInitShape<typeof TensorProtoSchema> => ({
          name: value.name,
          dims: value.shape.map(BigInt),
          dataType: onnxType[value.type],
          rawData: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
        })),
        input: inputs.map((value) => encodeValue(value.name, value)),
        output: [...outputs].map(([name, value]) => encodeValue(name, value)),
      },
    }),
  );
}

function encodeValue(name: string, value: Value): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = value.shape.map((size) => ({
    value: { case: "dimValue" as const, value: BigInt(size) },
  }));
  return {
    name,
    type: {
      value: { case: "tensorType", value: { elemType: onnxType[value.type], shape: { dim } } },
    },
  };
}

function encodeAttributes(attributes: Attributes): MessageInitShape<typeof AttributeProtoSchema>[] {
  return Object.entries(attributes).map(([name, value]) => {
    if (typeof value === "number") return { name, type: AttributeType.INT, i: BigInt(value) };
    if (typeof value === "string") {
      return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
    }
    if ("float" in value) return { name, type: AttributeType.FLOAT, f: value.float };
    return { name, type: AttributeType.INTS, ints: value.map(BigInt) };
  });
}
