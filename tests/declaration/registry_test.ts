import { z } from "zod";
import { composed, type Kind, Registry } from "../../src/declaration/registry.ts";
import { rootNode } from "../../src/declaration/schema_node.ts";
import { assert, test } from "../testing.ts";

const kindOf = (kind: string): Kind => ({ schema: z.strictObject({ kind: z.literal(kind) }) });

test("Registry.register() adds a kind to schemas that are composed of it, until it is disposed", () => {
  const registry = new Registry({ exact: kindOf("exact") });
  const whole = composed(() => z.strictObject({ index: registry.schema }));
  const declared = { index: { kind: "tree" } };
  assert.equal(whole(), whole());
  assert.equal(whole().safeParse(declared).success, false);
  {
    using _tree = registry.register("tree", kindOf("tree"));
    assert.equal(whole().safeParse(declared).success, true);
    assert.deepEqual(registry.names, ["exact", "tree"]);
    assert.equal(
      rootNode(whole(), declared).child("index")?.allowed,
      "objects whose kind is exact, tree",
    );
  }
  assert.equal(whole().safeParse(declared).success, false);
  assert.deepEqual(registry.names, ["exact"]);
});

test("Registry refuses a name that is taken or unknown", () => {
  const registry = new Registry({ exact: kindOf("exact") });
  assert.throws(() => registry.register("exact", kindOf("exact")), {
    name: "RangeError",
    message: 'Cannot register kind "exact" as the name is taken: current names are exact',
  });
  assert.throws(() => registry.get("exakt"), {
    name: "RangeError",
    message: 'Cannot find kind "exakt": allowed are exact (did you mean "exact"?)',
  });
});
