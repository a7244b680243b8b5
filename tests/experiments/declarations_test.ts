import { resolveRuns } from "../../src/experiment/resolve.ts";
import { assert, test } from "../testing.ts";

test("every experiment that ships is declared without a mistake, under a name of its own", async () => {
  const runs = await resolveRuns(["experiments"], { assignments: [] });
  const files = Map.groupBy(runs, ({ experiment }) => experiment.name);
  for (const [name, declared] of files) {
    assert.equal(new Set(declared.map(({ file }) => file)).size, 1, `${name} is declared twice`);
  }
  assert.ok(files.size >= 12, `${files.size} experiments`);
});
