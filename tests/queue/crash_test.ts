import { Random } from "../../src/random.ts";
import { assert } from "../testing.ts";
import { runTest } from "./command_line_run.ts";
import { crashTrial, killMoments } from "./crash_trials.ts";

for (const moment of killMoments) {
  runTest(
    `a kill at a random moment (${moment}) loses at most the work since the last checkpoint`,
    async (folder) => {
      const random = new Random(`${Math.random()}`);
      assert.ok(await crashTrial(folder, moment, { random, kills: 2 }) > 0, "no kill came in time");
    },
  );
}
