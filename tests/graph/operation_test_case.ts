/**
 * Tests of one operation: on every device its result is compared with a double-precision reference, and its gradients
 * with central differences of that reference.
 */
import { gradients } from "../../src/graph/gradients.ts";
import { Graph, type Value } from "../../src/graph/graph.ts";
import { cast } from "../../src/graph/ops/cast.ts";
import { mul } from "../../src/graph/ops/mul.ts";
import { reduceSum } from "../../src/graph/ops/reduce_sum.ts";
import { compile } from "../../src/runtime/compile.ts";
import type { Device, HostArray, Tensors } from "../../src/runtime/device.ts";
import { elementCount, type ElementType } from "../../src/tensor.ts";
import { Random } from "../../src/random.ts";
import { assert, assertClose } from "../testing.ts";
import { deviceTest, type testedDevices } from "./devices.ts";
import type { Tensor64 } from "./tensor64.ts";

/** An input of an operation: its shape alone for float32 of the standard normal distribution. */
export type OperationInput = readonly number[] | {
  readonly shape: readonly number[];
  readonly type?: "float32" | "int32" | "int64" | "bool";
  /** Values in order, or drawn one by one. */
  readonly values?: ArrayLike<number> | ((random: Random, i: number) => number);
  /** False where the operation gives this float32 input no gradient, which is then checked. */
  readonly gradient?: false;
};

/** An operation applied to inputs of given shapes. */
export interface OperationCase<Name extends string> {
  readonly inputs: Readonly<Record<Name, OperationInput>>;
  /** Adds the operation to a graph. */
  build(inputs: Record<Name, Value>): Value;
  /** The same in double precision; integers and truth values are numbers too. */
  reference(inputs: Record<Name, Tensor64>): Tensor64;
  /** Largest error, as a part of the largest magnitude of the result or gradient; 1e-5 if absent, integers are exact. */
  readonly tolerance?: number;
  /** Engines that have it; absent: all. */
  readonly kinds?: readonly (typeof testedDevices[number])[];
}

/** Registers tests of an operation: one for every device. */
export function testOperation<Name extends string>(
  name: string,
  operation: OperationCase<Name>,
): void {
  let expected: Expectation | undefined;
  deviceTest(name, async (device) => {
    expected ??= expectation(name, operation);
    await checkOperation(device, operation, expected);
  }, operation.kinds ? { kinds: operation.kinds } : {});
}

/** Inputs of a case and what must come out. */
interface Expectation {
  readonly inputs: ReadonlyMap<string, Tensor64 & { type: ElementType; gradient: boolean }>;
  readonly y: Tensor64;
  readonly dy: Tensor64;
  /** Of the inputs that have one. */
  readonly gradients: ReadonlyMap<string, Tensor64>;
}

function expectation<Name extends string>(
  name: string,
  { inputs, reference }: OperationCase<Name>,
): Expectation {
  const tensors = new Map(
    Object.entries<OperationInput>(inputs).map(([key, input]) => [
      key,
      inputTensor(input, new Random(`${name}/${key}`)),
    ]),
  );
  const record = Object.fromEntries(tensors) as unknown as Record<Name, Tensor64>;
  const y = reference(record);
  const dy = inputTensor(y.shape, new Random(`${name}/dy`));
  const loss = () => {
    const { data } = reference(record);
    let sum = 0;
    for (let i = 0; i < data.length; i++) sum += data[i] * dy.data[i];
    return sum;
  };
  const differences = new Map<string, Tensor64>();
  for (const [key, tensor] of tensors) {
    if (tensor.gradient) differences.set(key, centralDifferences(loss, tensor));
  }
  return { inputs: tensors, y, dy, gradients: differences };
}

function inputTensor(input: OperationInput, random: Random) {
  const spec = "shape" in input ? input : { shape: input };
  const { values } = spec;
  const type = spec.type ?? "float32";
  const data = Float64Array.from({ length: elementCount(spec.shape) }, (_, i) => {
    if (!values) return random.normal();
    return typeof values === "function" ? values(random, i) : values[i];
  });
  const rounded = type === "float32" ? data.map(Math.fround) : data;
  return {
    shape: spec.shape,
    data: rounded,
    type: type as ElementType,
    gradient: type === "float32" && spec.gradient !== false,
  };
}

/** (f(x + h) - f(x - h)) / 2h for every element of x, which f reads. */
function centralDifferences(f: () => number, x: Tensor64): Tensor64 {
  const h = 1e-5;
  const data = x.data.map((value, i) => {
    x.data[i] = value + h;
    const after = f();
    x.data[i] = value - h;
    const before = f();
    x.data[i] = value;
    return (after - before) / (2 * h);
  });
  return { shape: x.shape, data };
}

async function checkOperation<Name extends string>(
  device: Device,
  { build, tolerance = 1e-5 }: OperationCase<Name>,
  expected: Expectation,
): Promise<void> {
  const graph = new Graph();
  const values = new Map(
    [...expected.inputs].map(([name, { shape, type }]) => [name, graph.input(name, shape, type)]),
  );
  const y = build(Object.fromEntries(values) as Record<Name, Value>);
  const isFloat = y.type === "float32";
  const dy = graph.input("dy", y.shape);
  graph.output("y", y);
  const loss = reduceSum(mul(cast(y, "float32"), dy));
  gradients(loss, [...values.values()]).forEach((gradient, i) => {
    const name = [...values.keys()][i];
    const has = isFloat && expected.inputs.get(name)!.gradient;
    assert.equal(gradient !== undefined, has, `whether ${name} has a gradient`);
    if (gradient) graph.output(`d(${name})`, gradient);
  });

  const feeds: Tensors = { dy: hostTensor(device, { ...expected.dy, type: "float32" }) };
  for (const [name, tensor] of expected.inputs) feeds[name] = hostTensor(device, tensor);
  const session = await compile(device, graph);
  const results = await session.run(feeds);
  // At once, as each wait for a GPU takes Deno 10 ms.
  const names = Object.keys(results);
  const arrays = await device.readAll(names.map((name) => results[name]));
  const found = new Map(names.map((name, i) => [name, arrays[i]]));

  assertAgrees("y", y.type === "float32" ? tolerance : 0, expected.y);
  if (isFloat) {
    for (const [name, gradient] of expected.gradients) {
      assertAgrees(`d(${name})`, tolerance, gradient);
    }
  }
  for (const tensor of [...Object.values(results), ...Object.values(feeds)]) tensor.dispose();
  await session.close();

  function assertAgrees(name: string, tolerance: number, { shape, data }: Tensor64) {
    assert.deepEqual(graph.outputs.get(name)!.shape, shape, `declared shape of ${name}`);
    assert.deepEqual(results[name].shape, shape, `shape of ${name}`);
    const magnitude = data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    assert.ok(magnitude > 1e-3, `${name} is degenerate: its largest magnitude is ${magnitude}`);
    assertClose(Array.from(found.get(name)!, Number), data, {
      tolerance: tolerance * magnitude,
      name,
    });
  }
}

/** A tensor of a device from doubles. */
function hostTensor(device: Device, { shape, data, type }: Tensor64 & { type: ElementType }) {
  return device.tensor(hostArray(data, type), shape, type);
}

function hostArray(data: Float64Array, type: ElementType): HostArray {
  switch (type) {
    case "float32":
      return Float32Array.from(data);
    case "int32":
      return Int32Array.from(data);
    case "int64":
      return BigInt64Array.from(data, BigInt);
    case "bool":
      return Uint8Array.from(data);
    case "int8":
      return Int8Array.from(data);
    case "float16":
      throw new TypeError("Cannot feed float16 as tests draw float32: allowed is a cast");
    default:
      return type satisfies never;
  }
}
