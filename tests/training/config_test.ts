import { learningRateAt, type ScheduleConfig } from "../../src/training/config.ts";
import { assertClose, test } from "../testing.ts";

const polynomial: ScheduleConfig = {
  learningRate: 1,
  schedule: "polynomial",
  warmupSteps: 0,
  finalLearningRate: 0.2,
  totalSteps: 8,
};

/** Learning rates of some updates. */
function rates(config: ScheduleConfig, updates: readonly number[]): number[] {
  return updates.map((update) => learningRateAt(update, config));
}

test("learningRateAt() falls in a straight line to finalLearningRate and stays there", () => {
  // 0.2 + 0.8 (1 - (u - 1) / 8)
  assertClose(rates(polynomial, [1, 2, 5, 8, 9, 100]), [1, 0.9, 0.6, 0.3, 0.2, 0.2], {
    tolerance: 1e-12,
  });
});

test("learningRateAt() falls in half a cosine", () => {
  // 0.2 + 0.4 (1 + cos(pi (u - 1) / 8)); cos(pi / 4) = 0.70710678
  const config: ScheduleConfig = { ...polynomial, schedule: "cosine" };
  assertClose(rates(config, [1, 3, 5, 7, 9, 100]), [1, 0.88284271, 0.6, 0.31715729, 0.2, 0.2], {
    tolerance: 1e-8,
  });
});

test("learningRateAt() rises over the warm-up, then falls over what is left", () => {
  // Rises by 1/4 an update; from update 5 on 4 updates lead to the end.
  const config: ScheduleConfig = { ...polynomial, warmupSteps: 4 };
  assertClose(rates(config, [1, 2, 3, 4, 5, 6, 7, 9, 100]), [
    0.25,
    0.5,
    0.75,
    1,
    1,
    0.8,
    0.6,
    0.2,
    0.2,
  ], { tolerance: 1e-12 });
  const whole: ScheduleConfig = { ...polynomial, warmupSteps: 8 };
  assertClose(rates(whole, [8, 9, 10]), [1, 1, 0.2], { tolerance: 1e-12 });
});
