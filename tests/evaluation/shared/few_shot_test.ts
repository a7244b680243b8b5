import { spreadEvenly } from "../../../src/evaluation/shared/few_shot.ts";
import { assert, test } from "../../testing.ts";

test("spreadEvenly() takes all of a list, or so many from all over it", () => {
  const items = [0, 1, 2, 3, 4, 5, 6];
  assert.deepEqual(spreadEvenly(items), items);
  assert.deepEqual(spreadEvenly(items, 9), items);
  assert.deepEqual(spreadEvenly(items, 3), [0, 2, 4]);
  assert.deepEqual(spreadEvenly(items, 1), [0]);
});
