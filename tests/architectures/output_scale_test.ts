/** What makes a SideNet's layers add less to their stream. */
import { assert, test } from "../testing.ts";
import { randomBackbone, randomSideNet, smallShapes } from "./small_models.ts";

test("outputScale is a factor of norms behind attention and MLP, which undo one before them, and else of projections", () => {
  const scaledIn = (architecture: string) => {
    const shape = smallShapes().find((shape) => shape.architecture === architecture)!;
    const backbone = randomBackbone(shape);
    const [whole, half] = [1, 0.5].map((outputScale) =>
      randomSideNet(backbone, { initialization: { kind: "paper", outputScale }, exact: true })
    );
    return [...whole.weights].flatMap(([name, { data }]) => {
      const found = half.weights.get(name)!.data;
      if (found.every((value, i) => value === data[i])) return [];
      assert.deepEqual(found, data.map((value) => value / 2), name);
      return name.startsWith("layers.1.") ? [name.slice("layers.1.".length)] : [];
    });
  };
  const norms = ["attention_output_norm.weight", "mlp_output_norm.weight"];
  assert.deepEqual(scaledIn("olmo2"), norms);
  assert.deepEqual(scaledIn("gemma2"), norms);
  assert.deepEqual(scaledIn("llama"), ["attention.out.weight", "mlp.out.weight"]);
});
