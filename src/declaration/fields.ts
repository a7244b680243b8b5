/**
 * Forms of single fields. Every leaf carries the words in which errors name its allowed values.
 */
import { z } from "zod";

export const positiveInteger = z.int().positive().describe("positive integers");
export const positiveIntegers = z.array(positiveInteger).min(1).readonly()
  .describe("lists of positive integers");
export const nonNegativeInteger = z.int().nonnegative().describe("integers from 0");
export const nonNegativeIntegers = z.array(nonNegativeInteger).min(1).readonly()
  .describe("lists of integers from 0");
export const wholeNumber = z.int().describe("whole numbers");
export const finiteNumber = z.number().describe("numbers");
export const positiveNumber = z.number().positive().describe("numbers above 0");
export const nonNegativeNumber = z.number().nonnegative().describe("numbers from 0");
export const fraction = z.number().min(0).lt(1).describe("numbers from 0, below 1");
export const trueOrFalse = z.boolean().describe("true, false");
export const text = z.string().min(1).describe("text that is not empty");
export const slug = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,79}$/).describe(
  'lower-case letters, digits, "_" and "-", at most 80',
);
export const seed = z.int().min(0).max(0xffff_ffff).describe("integers from 0, below 2^32");
export const seeds = z.array(seed).min(1).readonly().describe(
  "lists of integers from 0, below 2^32",
);

/** One of some words. */
export function oneOf<const V extends readonly [string, ...string[]]>(...values: V) {
  return z.enum(values).describe(values.join(", "));
}
