import { differenceInWords, signedBy, uncertain } from "../../src/results/table_text.ts";
import { assert, test } from "../testing.ts";

test("uncertain() shows two figures of the standard error, and huge numbers in powers of ten", () => {
  assert.equal(uncertain({ value: 12.3456, stderr: 0.0561 }), "12.346 \u00b1 0.056");
  assert.equal(uncertain({ value: 98_225_028_039_777, stderr: 4.96e13 }), "9.8e13 \u00b1 5.0e13");
  assert.equal(uncertain({ value: 98_225_028_039_777, stderr: 5.1e11 }), "9.823e13 \u00b1 5.1e11");
  // At least two figures, also of a number that is less than its error.
  assert.equal(uncertain({ value: 98_225_028_039_777, stderr: 5e14 }), "9.8e13 \u00b1 5.0e14");
  assert.equal(uncertain({ value: 98_225_028_039_777 }), "9.823e13");
  assert.equal(uncertain({ value: 999_999, stderr: 20 }), "999999 \u00b1 20");
});

test("uncertain() shows an interval of huge numbers, each in its own power of ten", () => {
  const ci95 = [1.5e3, 2.25e14] as const;
  assert.equal(uncertain({ value: 9.822e13, ci95 }), "9.8e13 [1.5e3, 2.25e14]");
});

test("differenceInWords() and signedBy() tell huge differences in powers of ten", () => {
  const difference = {
    items: 8,
    effective: 8,
    unit: "documents",
    differing: 8,
    seeds: 1,
    insideNoise: true,
  };
  assert.equal(
    differenceInWords({ ...difference, value: 4.23e9, interval: [-1e9, 9e9] }),
    "+4.2e9 [-1.0e9, 9.0e9]",
  );
  assert.equal(signedBy(-4.2345e9, 2e8), "-4.23e9");
  assert.equal(signedBy(-0.0004, 0.2), "0.00");
  assert.equal(differenceInWords({ ...difference, value: -440.4 }), "-440", "hundreds as numbers");
});
