import type { Value } from "../graph.ts";
import { broadcastShape, unbroadcast } from "./broadcast.ts";

/** y = a where the condition holds, else b;  da = dy there, else 0; db the other way round. */
export function where(condition: Value, a: Value, b: Value): Value {
  const { graph } = a;
  const whole = broadcastShape("choose between", a, b);
  const shape = whole.length < condition.rank ||
      condition.shape.some((size, i) => size > whole[i + whole.length - condition.rank])
    ? broadcastShape("choose between", condition, a.rank > b.rank ? a : b)
    : whole;
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
