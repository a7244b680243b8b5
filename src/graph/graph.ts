/**
 * Computation graphs: values with static shapes, joined by ONNX operators.
 *
 * A graph is built once for given sizes, differentiated by {@linkcode gradients} (more nodes of the same graph), encoded
 * as an ONNX model and run by a device. Functions of `ops/` add nodes; each file there holds one operation with its
 * formulae, its shape rule and its gradient.
 */
import { elementCount, type ElementType } from "../tensor.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";

/** A value of a graph: the output of a node, an input or a constant. */
export class Value {
  /** How gradients pass through the operation that made this value; absent where they stop. */
  derivation: Derivation | undefined;

  constructor(
    readonly graph: Graph,
    readonly name: string,
    readonly shape: readonly number[],
    readonly type: ElementType,
    /** The node that computes it; absent for inputs and constants. */
    readonly node: GraphNode | undefined,
  ) {}

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }
}

/** Attributes of an ONNX operator: integers unless wrapped in `{ float }`. */
export type Attributes = Record<string, number | readonly number[] | string | { float: number }>;

/** One ONNX operator of a graph. */
export interface GraphNode {
  readonly op: string;
  /** Operator set; "" is ONNX's own. */
  readonly domain: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: Value[];
  readonly attributes: Attributes;
}

/** Arguments of a gradient rule. */
export interface GradientContext {
  /** Gradients of the outputs; absent where an output does not reach the differentiated value. */
  readonly dys: readonly (Value | undefined)[];
  /** Gradient of the first output. */
  readonly dy: Value;
}

/** Gradients of the inputs, in order; undefined where there is none. */
export type GradientRule = (context: GradientContext) => readonly (Value | undefined)[];

/** An operation as differentiation sees it: several nodes may form one. */
export interface Derivation {
  readonly order: number;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly gradient: GradientRule;
}

/** How to add a node. */
export interface NodeSpec {
  op: string;
  domain?: string;
  inputs: readonly (Value | undefined)[];
  /** Shapes and types of the outputs. */
  outputs: readonly { shape: readonly number[]; type: ElementType }[];
  attributes?: Attributes;
  gradient?: GradientRule;
}

export type ConstantData = Float32Array | Int32Array | BigInt64Array;

/** A computation graph under construction. */
export class Graph {
  readonly inputs: Map<string, Value> = new Map();
  readonly constants: Map<string, { value: Value; data: ConstantData }> = new Map();
  readonly outputs: Map<string, Value> = new Map();
  readonly nodes: GraphNode[] = [];
  readonly #constantsByContent = new Map<string, Value>();
  #names = 0;
  #order = 0;
  #scope = "";

  /** Declares an input that is fed at every run. */
  input(name: string, shape: readonly number[], type: ElementType = "float32"): Value {
    if (this.inputs.has(name)) {
      throw new InputRangeError(`Cannot add input "${name}" as it exists already`);
    }
    const value = new Value(this, name, checkedShape(name, shape), type, undefined);
    this.inputs.set(name, value);
    return value;
  }

  /** Names a value that a run returns. */
  output(name: string, value: Value): void {
    if (value.graph !== this) {
      throw new InputTypeError(`Cannot return "${name}" as it is of another graph`);
    }
    if (this.outputs.has(name)) {
      throw new InputRangeError(`Cannot add output "${name}" as it exists already`);
    }
    this.outputs.set(name, value);
  }

  /** A float32 constant. */
  constant(data: Float32Array, shape: readonly number[]): Value {
    return this.#constant(data, shape, "float32");
  }

  /** A float32 scalar. */
  scalar(value: number): Value {
    return this.#constant(Float32Array.of(value), [], "float32");
  }

  /** A vector of int64, as ONNX wants for axes and shapes. */
  int64(values: readonly number[]): Value {
    return this.#constant(BigInt64Array.from(values, BigInt), [values.length], "int64");
  }

  /** An int32 constant. */
  int32(data: Int32Array, shape: readonly number[]): Value {
    return this.#constant(data, shape, "int32");
  }

  #constant(data: ConstantData, shape: readonly number[], type: ElementType): Value {
    if (elementCount(shape) !== data.length) {
      throw new InputRangeError(
        `Cannot add constant of shape [${shape}] as it has ${data.length} elements`,
      );
    }
    const small = data.length <= 16 ? `${type}[${shape}]${data}` : undefined;
    const known = small && this.#constantsByContent.get(small);
    if (known) return known;
    const value = new Value(this, `constant_${this.constants.size}`, shape, type, undefined);
    this.constants.set(value.name, { value, data });
    if (small) this.#constantsByContent.set(small, value);
    return value;
  }

  /** Adds a node with one output. */
  node(spec: NodeSpec): Value {
    return this.nodeWithOutputs(spec)[0];
  }

  /** Adds a node; returns its outputs. */
  nodeWithOutputs(spec: NodeSpec): Value[] {
    const node: GraphNode = {
      op: spec.op,
      domain: spec.domain ?? "",
      inputs: spec.inputs,
      outputs: [],
      attributes: spec.attributes ?? {},
    };
    for (const input of spec.inputs) {
      if (input && input.graph !== this) {
        throw new InputTypeError(
          `Cannot add ${spec.op} as its input "${input.name}" is of another graph`,
        );
      }
    }
    for (const { shape, type } of spec.outputs) {
      const name = `${this.#scope}${spec.op}_${this.#names++}`;
      node.outputs.push(new Value(this, name, checkedShape(name, shape), type, node));
    }
    this.nodes.push(node);
    if (spec.gradient) {
      const inputs = spec.inputs.filter((input) => input !== undefined);
      this.derive(inputs, node.outputs, spec.gradient);
    }
    return node.outputs;
  }

  /**
   * Makes `outputs`, however they were computed from `inputs`, one operation for differentiation with a gradient of
   * its own.
   */
  derive(inputs: readonly Value[], outputs: readonly Value[], gradient: GradientRule): void {
    const derivation = { order: this.#order++, inputs, outputs, gradient };
    for (const output of outputs) output.derivation = derivation;
  }

  /** Runs `build` with the names of new nodes prefixed by `name`, which profiles and errors show. */
  scope<T>(name: string, build: () => T): T {
    const outer = this.#scope;
    this.#scope = `${outer}${name}/`;
    try {
      return build();
    } finally {
      this.#scope = outer;
    }
  }
}

/** Sizes of a value's axes by the letters of a pattern such as "B T E"; letters in `known` must agree. */
export function dims<Pattern extends string>(
  value: { readonly shape: readonly number[]; readonly name?: string },
  pattern: Pattern,
  known: Readonly<Record<string, number>> = {},
): Record<Letters<Pattern>, number> {
  const letters = pattern.split(" ");
  const sizes: Record<string, number> = {};
  letters.forEach((letter, axis) => sizes[letter] = value.shape[axis]);
  const agrees = letters.length === value.shape.length &&
    letters.every((letter) => known[letter] === undefined || known[letter] === sizes[letter]);
  if (!agrees) {
    const wanted = letters.map((letter) =>
      known[letter] === undefined ? letter : `${letter}=${known[letter]}`
    );
    throw new InputRangeError(
      `Cannot read ${value.name ?? "tensor"} as [${wanted.join(", ")}]: current shape is [${
        value.shape.join(", ")
      }]`,
    );
  }
  return sizes as Record<Letters<Pattern>, number>;
}

type Letters<S extends string> = S extends `${infer Head} ${infer Tail}` ? Head | Letters<Tail> : S;

function checkedShape(name: string, shape: readonly number[]): readonly number[] {
  if (!shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new InputRangeError(
      `Cannot add "${name}" as its sizes must be positive integers: current shape is [${
        shape.join(", ")
      }]`,
    );
  }
  return shape;
}
