import { simultaneousFactor, studentQuantile } from "../../src/statistics/distributions.ts";
import { assert, assertClose, test } from "../testing.ts";

test("studentQuantile() equals the table of Student's distribution", () => {
  // 97.5 % quantiles from the standard table.
  const freedoms = [1, 2, 10, 11, 12, 20, 30, 60, 120, 1e9];
  const table = [12.7062, 4.3027, 2.2281, 2.2010, 2.1788, 2.0860, 2.0423, 2.0003, 1.9799, 1.9600];
  assertClose(freedoms.map((freedom) => studentQuantile(freedom)), table, { tolerance: 1e-4 });
  // Fractions of a degree and other tails, by the incomplete beta function.
  assertClose([studentQuantile(1.5), studentQuantile(7.3)], [6.01666, 2.34507], {
    tolerance: 1e-4,
  });
  const tails = [
    studentQuantile(1, 0.0025),
    studentQuantile(5, 0.0025),
    studentQuantile(50, 0.0025),
  ];
  assertClose(tails, [127.32134, 4.77334, 2.93696], { tolerance: 1e-4 });
});

test("simultaneousFactor() is that of Bonferroni, of Student's distribution", () => {
  // t(8) exceeds 3.8325 with 0.25 % (the standard table), 2.3060 with 2.5 %.
  assertClose([simultaneousFactor(10, 8)], [3.83252 / 2.3060], { tolerance: 1e-4 });
  assert.equal(simultaneousFactor(1, 8), 1);
});
