import { z } from "zod";
import { oneOf, positiveInteger } from "../../src/declaration/fields.ts";
import {
  canonicalJson,
  identityOf,
  introducedAt,
  unmeasured,
} from "../../src/declaration/identity.ts";
import { assert, test } from "../testing.ts";

const index = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("exact") }),
  z.strictObject({ kind: z.literal("graph"), links: positiveInteger }),
]);

/** A declaration as it was when runs were recorded. */
const before = z.strictObject({
  name: z.string(),
  memory: z.strictObject({ tokens: positiveInteger, index: index.exactOptional() }),
  lists: z.array(index),
});

/** The same with fields of every form that came later. */
const after = z.strictObject({
  name: unmeasured(z.string()),
  memory: z.strictObject({
    tokens: positiveInteger,
    index: introducedAt(
      z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("exact") }),
        z.strictObject({
          kind: z.literal("graph"),
          links: positiveInteger,
          depth: introducedAt(positiveInteger, 3).exactOptional(),
        }),
      ]),
      { kind: "exact" },
    ).exactOptional(),
    decay: introducedAt(z.number(), 0).exactOptional(),
    order: introducedAt(oneOf("age", "score"), "age").exactOptional(),
    sizes: introducedAt(z.array(positiveInteger).readonly(), [1, 2]).exactOptional(),
  }),
  lists: z.array(z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("exact"),
      ties: introducedAt(oneOf("first", "last"), "first"),
    }),
    z.strictObject({ kind: z.literal("graph"), links: positiveInteger }),
  ])),
});

const recorded = {
  name: "a",
  memory: { tokens: 4 },
  lists: [{ kind: "exact" }, { kind: "graph", links: 2 }],
};

const { name: _name, ...identity } = recorded;

test("identityOf() is that of a declaration before its fields were added, where they change nothing", () => {
  assert.deepEqual(identityOf(before, recorded), recorded);
  assert.deepEqual(identityOf(after, recorded), identity);
  const filled = {
    ...recorded,
    name: "b",
    memory: { tokens: 4, index: { kind: "exact" }, decay: 0, order: "age", sizes: [1, 2] },
    lists: [{ kind: "exact", ties: "first" }, { kind: "graph", links: 2 }],
  };
  assert.deepEqual(identityOf(after, filled), identity);
});

test("identityOf() tells apart declarations that use a later field", () => {
  const { memory, lists } = recorded;
  const changed = [
    { ...recorded, memory: { ...memory, decay: 0.5 } },
    { ...recorded, memory: { ...memory, order: "score" } },
    { ...recorded, memory: { ...memory, sizes: [2, 1] } },
    { ...recorded, memory: { ...memory, index: { kind: "graph", links: 2, depth: 3 } } },
    { ...recorded, memory: { ...memory, index: { kind: "graph", links: 2, depth: 4 } } },
    { ...recorded, lists: [{ kind: "exact", ties: "last" }, lists[1]] },
    recorded,
  ];
  const identities = changed.map((declared) => canonicalJson(identityOf(after, declared)));
  assert.equal(new Set(identities).size, changed.length, identities.join("\n"));
});

test("identityOf() keeps fields that a schema does not name", () => {
  assert.deepEqual(identityOf(after, { ...identity, extra: { tokens: 4 } }), {
    ...identity,
    extra: { tokens: 4 },
  });
});

test("canonicalJson() sorts keys at every depth and keeps the order of lists", () => {
  assert.equal(
    canonicalJson({ b: [2, 1], a: { d: 1, c: [{ z: 0, y: 0 }] } }),
    '{"a":{"c":[{"y":0,"z":0}],"d":1},"b":[2,1]}',
  );
});
