import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from "onnx-buf";
import type { Attributes, Graph, GraphNode, Value } from "./graph.ts";
import { onnxType } from "./ops/cast.ts";

/** IR version 9 and operator set 20: the newest that all engines run (Gelu came with 20). */
const irVersion = 9n, opset = 20n;

/** Encodes what the outputs of a graph need as an ONNX model. */
export function encodeOnnx(graph: Graph): Uint8Array {
  const { nodes, inputs, constants } = reachable(graph);
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion,
      producerName: "longmem-lab",
      opsetImport: [{ domain: "", version: opset }, { domain: "com.microsoft", version: 1n }],
      graph: {
        name: "graph",
        node: nodes.map(encodeNode),
        initializer: constants.map(({ value, data }) =>
          ({
            name: value.name,
            dims: value.shape.map(BigInt),
            dataType: onnxType[value.type],
            rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
          }) as MessageInitShape<typeof TensorProtoSchema>
        ),
        input: inputs.map((value) => encodeValue(value.name, value)),
        output: [...graph.outputs].map(([name, value]) => encodeValue(name, value)),
      },
    }),
  );

  function encodeNode(node: GraphNode): MessageInitShape<typeof NodeProtoSchema> {
    return {
      name: node.outputs[0].name,
      opType: node.op,
      domain: node.domain,
      input: node.inputs.map((value) => value?.name ?? ""),
      output: node.outputs.map((value) => value.name),
      attribute: encodeAttributes(node.attributes),
    };
  }
}

/** The nodes, inputs and constants that the outputs of a graph depend on, in order of execution. */
export function reachable(graph: Graph) {
  const nodes = new Set<GraphNode>();
  const leaves = new Set<Value>();
  const stack = [...graph.outputs.values()];
  while (stack.length > 0) {
    const value = stack.pop()!;
    if (!value.node) leaves.add(value);
    else if (!nodes.has(value.node)) {
      nodes.add(value.node);
      for (const input of value.node.inputs) if (input) stack.push(input);
    }
  }
  return {
    nodes: [...graph.nodes.filter((node) => nodes.has(node)), ...outputCopies(graph)],
    inputs: [...graph.inputs.values()].filter((value) => leaves.has(value)),
    constants: [...graph.constants.values()].filter(({ value }) => leaves.has(value)),
  };
}

/** ONNX names outputs by the value itself; a copy gives each the name that the caller chose. */
function outputCopies(graph: Graph): GraphNode[] {
  return [...graph.outputs].filter(([name, value]) => name !== value.name).map(([name, value]) => ({
    op: "Identity",
    domain: "",
    inputs: [value],
    outputs: [{ name, shape: value.shape, type: value.type } as Value],
    attributes: {},
  }));
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
