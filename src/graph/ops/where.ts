import type { Value } from "../graph.ts";
import { broadcastShape, unbroadcast } from "./broadcast.ts";

/** y = a where the condition holds, else b;  da = dy there, else 0; db the other way round. */
export function where(condition: Value, a: Value, b: Value): Value {
  const { graph } = a;
  const either = {
    name: `${a.name} or ${b.name}`,
    shape: broadcastShape("choose between", a, b),
  };
  const shape = broadcastShape("choose by", condition, either);
  return graph.node({
    op: "Where",
    inputs: [condition, a, b],
    outputs: [{ shape, type: a.type }],
    gradient: ({ dy }) => [
      undefined,
      unbroadcast(where(condition, dy, graph.scalar(0)), a.shape),
      unbroadcast(where(condition, graph.scalar(0), dy), b.shape),
    ],
  });
}
