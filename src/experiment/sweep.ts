/**
 * Sweeps: one declaration of several runs, whose fields take listed values.
 *
 *     sweep: { "memory.chunkTokens": [1, 2, 4] }                             3 runs
 *     sweep: { "memory.chunkTokens": [1, 2, 4], seed: [1, 2] }               6 runs: every combination
 *     sweep: { zip: { "memory.capacityTokens": [1024, 4096],
 *                     "memory.retrievedTokens": [16, 64] } }                 2 runs: values in step
 *
 * The first field varies slowest. Each run is the declaration without its sweep, so that it has the
 * id, and shares the results, of a declaration that says the same without one.
 */
import type { Variation } from "../results/records.ts";
import { locateField } from "../declaration/field_path.ts";
import { isUnmeasured } from "../declaration/identity.ts";
import type { Experiment, ResolvedExperiment, Sweep } from "./declaration.ts";
import { declarationError, type Problem, show, wrong } from "../declaration/problem.ts";
import { inExperiment } from "./schema.ts";
import { setExperimentField } from "./set_field.ts";
import { checkExperiment } from "./validation.ts";

/** One run of a sweep. */
export interface Variant<E = Experiment> {
  /** The declaration of the run, without a sweep. */
  readonly experiment: E;
  /** The swept fields with the run's values; empty for a declaration without a sweep. */
  readonly variation: Variation;
}

/**
 * The runs that an experiment declares, in order: one, unless it has a sweep.
 *
 * @throws {DeclarationError} Where the declaration or its sweep is wrong; it lists every problem once.
 */
export function expandSweep(experiment: Experiment): Variant[] {
  return resolveVariants(experiment).map(({ declared, variation }) => ({
    experiment: declared,
    variation,
  }));
}

/** A run of a sweep, with its defaults filled in and as it would be declared alone. */
export interface ResolvedVariant extends Variant<ResolvedExperiment> {
  /** The same, declared without a sweep. */
  readonly declared: Experiment;
}

/**
 * Checks a declaration, each run of its sweep, and fills in their defaults.
 *
 * @throws {DeclarationError} It lists every problem of every run once.
 */
export function resolveVariants(declaration: unknown): ResolvedVariant[] {
  const present = withoutUndefined(declaration);
  const { sweep = {}, ...base } = isObject(present) ? present : {} as Record<string, unknown>;
  const single = isObject(present) ? base : present;
  const { axes, problems, refused } = readSweep(sweep, base);
  const found = new Map<string, { problem: Problem; among: number[][] }>();
  const variants: ResolvedVariant[] = [];
  for (const places of combinations(axes)) {
    const { declared, variation } = vary(single, axes, places);
    const checked = checkExperiment(declared);
    if (checked.resolved) {
      variants.push({
        experiment: checked.resolved,
        variation,
        declared: declared as Experiment,
      });
    }
    for (const problem of checked.problems) {
      const key = `${problem.path} ${problem.message}`;
      if (!found.has(key)) found.set(key, { problem, among: [] });
      found.get(key)!.among.push(places);
    }
  }
  for (const { problem, among } of found.values()) {
    // A field whose list of values cannot be read is not missing.
    if (refused.some((path) => isWithin(problem.path, path))) continue;
    problems.push(inSweep(problem, axes, among));
  }
  if (problems.length > 0) throw declarationError(present, problems);
  return variants;
}

/** A field set to undefined is absent: `{ ...base, memory: undefined }` is the baseline of `base`. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([, field]) => field !== undefined)
      .map(([key, field]) => [key, withoutUndefined(field)]),
  );
}

interface SweptField {
  readonly path: string;
  /** How errors name it: `sweep.memory.chunkTokens`. */
  readonly name: string;
  readonly values: readonly unknown[];
}

/** Fields that vary together. */
interface Axis {
  readonly fields: readonly SweptField[];
  readonly length: number;
}

/** Every choice of one place on each axis; the first axis varies slowest. */
function combinations(axes: readonly Axis[]): number[][] {
  return axes.reduce<number[][]>(
    (chosen, { length }) =>
      chosen.flatMap((places) => Array.from({ length }, (_, i) => [...places, i])),
    [[]],
  );
}

/** The declaration of one run. */
function vary(
  base: unknown,
  axes: readonly Axis[],
  places: readonly number[],
): { declared: unknown; variation: Variation } {
  if (axes.length === 0) return { declared: base, variation: {} };
  const declared = structuredClone(base) as Experiment;
  const variation: Record<string, unknown> = {};
  const swept = axes.flatMap(({ fields }) => fields.map(({ path }) => path));
  for (const [i, { fields }] of axes.entries()) {
    for (const { path, values } of fields) {
      const value = structuredClone(values[places[i]]);
      setExperimentField(declared, path, value, swept);
      variation[path] = value;
    }
  }
  return { declared, variation };
}

/** Reads the lists of a sweep; those that are wrong are left out of the axes, and their fields named. */
function readSweep(
  sweep: unknown,
  base: Record<string, unknown>,
): { axes: Axis[]; problems: Problem[]; refused: string[] } {
  const problems: Problem[] = [];
  const refused: string[] = [];
  const axes: Axis[] = [];
  const seen: string[] = [];
  const lists = "lists of values by field";
  if (!isObject(sweep)) {
    return { axes, refused, problems: [wrong("sweep", "has a wrong value", sweep, lists)] };
  }
  const read = (name: string, path: string, values: unknown): SweptField | undefined => {
    const message = fieldProblem(path, base, seen) ?? listProblem(values);
    if (message === undefined) {
      seen.push(path);
      return { path, name, values: values as unknown[] };
    }
    problems.push({ path: name, message });
    refused.push(path);
  };
  for (const [key, values] of Object.entries(sweep)) {
    if (key !== "zip") {
      const field = read(`sweep.${key}`, key, values);
      const message = field && repetitionProblem(field.values);
      if (message) problems.push({ path: field.name, message });
      else if (field) axes.push({ fields: [field], length: field.values.length });
    } else if (!isObject(values)) {
      problems.push(wrong("sweep.zip", "has a wrong value", values, lists));
    } else {
      const fields = Object.entries(values)
        .flatMap(([path, list]) => read(`sweep.zip.${path}`, path, list) ?? []);
      const [first] = fields;
      if (first === undefined) continue;
      const unequal = fields.filter(({ values }) => values.length !== first.values.length);
      for (const { name, path, values } of unequal) {
        problems.push({
          path: name,
          message:
            `must have as many values as ${first.name}: current number is ${values.length}, ` +
            `allowed is ${first.values.length}`,
        });
        refused.push(path);
      }
      const equal = fields.filter((field) => !unequal.includes(field));
      // One field may have a value twice, beside different values of another.
      const message = repetitionProblem(
        first.values.map((_, i) => equal.map(({ values }) => values[i])),
      );
      if (message && unequal.length === 0) problems.push({ path: "sweep.zip", message });
      else axes.push({ fields: equal, length: first.values.length });
    }
  }
  return { axes, problems, refused };
}

/** Why a field cannot be swept. */
function fieldProblem(
  path: string,
  base: Record<string, unknown>,
  seen: readonly string[],
): string | undefined {
  const keys = path.split(".");
  const located = locateField(inExperiment(base), keys);
  if ("reason" in located) return `is unknown: ${located.reason}`;
  // Runs could not be told apart by it.
  if (isUnmeasured(located.node)) {
    return "must not be swept: allowed are fields that change what is measured";
  }
  if (keys[0] === "sweep") return "must not be swept: allowed are fields of one run";
  const other = seen.find((earlier) => isWithin(earlier, path) || isWithin(path, earlier));
  if (other === path) return "is swept twice";
  return other && `must not be swept beside ${other}: one of them is part of the other`;
}

/** Why something is not a list of values to sweep. */
function listProblem(values: unknown): string | undefined {
  if (!Array.isArray(values) || values.length === 0 || values.includes(undefined)) {
    return `has a wrong value: current value is ${show(values)}, allowed are lists of values`;
  }
}

/** Why two runs of a list of values would be the same. */
function repetitionProblem(values: readonly unknown[]): string | undefined {
  const texts = values.map((value) => JSON.stringify(value));
  const twice = texts.find((text, i) => texts.indexOf(text) < i);
  return twice && `lists a value twice: current value is ${twice}, allowed are values listed once`;
}

/** A problem of some runs, with the fields that it depends on: `sweep.memory.chunkTokens` itself, or its values. */
function inSweep(problem: Problem, axes: readonly Axis[], among: readonly number[][]): Problem {
  let { path, message } = problem;
  const causes: string[] = [];
  for (const [i, { fields, length }] of axes.entries()) {
    const places = [...new Set(among.map((chosen) => chosen[i]))].sort((a, b) => a - b);
    for (const field of fields) {
      if (isWithin(problem.path, field.path)) {
        path = field.name + problem.path.slice(field.path.length);
      } else if (places.length < length) {
        const values = places.map((place) => show(field.values[place]));
        causes.push(`${field.name} is ${values.join(" or ")}`);
      }
    }
  }
  if (causes.length > 0) message += `, where ${causes.join(" and ")}`;
  return { path, message };
}

/**
 * The sweep without the fields that a field that is set replaces; undefined where no field is left.
 *
 * @param path The field that is set: its sweep, and those of fields within it, are dropped.
 */
export function withoutSwept(sweep: Sweep | undefined, path: string): Sweep | undefined {
  if (!isObject(sweep)) return sweep;
  const kept = (fields: Record<string, unknown>) =>
    Object.entries(fields).filter(([swept]) => !isWithin(swept, path));
  const { zip, ...grid } = sweep as Record<string, unknown>;
  const zipped = isObject(zip) ? Object.fromEntries(kept(zip)) : zip;
  const left: Record<string, unknown> = Object.fromEntries(kept(grid));
  if (isObject(zipped) ? Object.keys(zipped).length > 0 : zipped !== undefined) left.zip = zipped;
  return Object.keys(left).length > 0 ? left as Sweep : undefined;
}

/** The swept field that a field is part of; undefined where there is none. */
export function sweptAround(sweep: Sweep | undefined, path: string): string | undefined {
  if (!isObject(sweep)) return undefined;
  const { zip, ...grid } = sweep as Record<string, unknown>;
  return Object.keys({ ...grid, ...isObject(zip) ? zip : {} })
    .find((swept) => swept !== path && isWithin(path, swept));
}

/** Whether a path equals another one, or leads to a part of its field. */
function isWithin(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}.`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
