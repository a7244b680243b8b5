/** The form of a backbone's sizes, where all of them are given. */
import * as z from "zod";
import { positiveInteger, text } from "../declaration/fields.ts";
import { parseForm } from "../declaration/form_problems.ts";
import { problemsIn } from "../declaration/problem.ts";
import { InputRangeError, InputTypeError } from "../errors.ts";
import { architectureOf } from "./architectures.ts";
import { type BackboneShape, mostLayers } from "./shape.ts";

/** The form of a {@linkcode BackboneShape}. */
export const backboneShapeForm = z.strictObject({
  architecture: text.exactOptional(),
  layers: positiveInteger,
  hiddenDim: positiveInteger,
  heads: positiveInteger,
  feedForwardDim: positiveInteger,
  vocabSize: positiveInteger,
  settings: z.record(z.string(), z.unknown()).readonly().describe("objects").exactOptional(),
});

/**
 * Checks the sizes of a backbone.
 *
 * @param action For errors: `initialise a backbone`.
 * @throws {TypeError} If a field is unknown, missing or of another form.
 * @throws {RangeError} If there are too many blocks, or sizes that do not go together.
 */
export function checkShape(shape: BackboneShape, action: string): void {
  const { problems } = parseForm(backboneShapeForm, shape, "shape");
  if (problems.length > 0) throw new InputTypeError(problemsIn(action, problems));
  const { layers } = shape;
  const problem = layers > mostLayers
    ? `layers must be at most ${mostLayers}: current value is ${layers}`
    : architectureOf(shape).problem(shape);
  if (problem) throw new InputRangeError(`Cannot ${action} as ${problem}`);
}
