/**
 * Tells regular expressions apart whose time may grow exponentially, or with a high power, with the length of a text.
 */
import { type AST, RegExpParser, visitRegExpAST } from "@eslint-community/regexpp";
import { getFirstConsumedChar, getFirstConsumedCharAfter } from "regexp-ast-analysis";
import { analyse } from "scslre";

/** Longest expression that is looked at, in UTF-16 units; those of published tokenizers have a few hundred. */
const longestPattern = 4_000;

/** A part that repeats up to so many times is too short for ways of matching it to multiply. */
const harmlessRepeats = 3;

/**
 * Why an expression may take far too long; undefined where nothing suggests it. Two tests: no part of anything that repeats
 * may match one text in two ways (exponential), and no two repetitions that follow one another may divide a text in many ways
 * before something that need not come (polynomial). The first is strict: it also names some expressions that are harmless.
 */
export function whySlow({ source, flags }: Pick<RegExp, "source" | "flags">): string | undefined {
  if (source.length > longestPattern) return `it is longer than ${longestPattern} characters`;
  const parser = new RegExpParser();
  const sets = { unicode: flags.includes("u"), unicodeSets: flags.includes("v") };
  const ambiguous = findAmbiguous(parser.parsePattern(source, 0, source.length, sets), {
    ...sets,
    ignoreCase: flags.includes("i"),
  });
  if (ambiguous !== undefined) return `${ambiguous} repeats and may match one text in many ways`;
  const { reports } = analyse({
    pattern: parser.parsePattern(source, 0, source.length, sets),
    flags: parser.parseFlags(flags),
  }, { reportTypes: { Move: false } });
  if (reports.length > 0) return "its repetitions may divide one text in many ways";
  return undefined;
}

/** Finds a part of a repeated pattern with a choice that the next character does not decide. */
function findAmbiguous(
  pattern: AST.Pattern,
  flags: Parameters<typeof getFirstConsumedChar>[2],
): string | undefined {
  let repeats = 0, found: string | undefined;
  const checkAlternatives = ({ alternatives, raw }: AST.Group | AST.CapturingGroup) => {
    if (repeats === 0) return;
    const firsts = alternatives.map((part) => getFirstConsumedChar(part, "ltr", flags).char);
    const overlap = firsts.some((a, i) => firsts.slice(0, i).some((b) => !a.isDisjointWith(b)));
    if (overlap) found ??= raw;
  };
  visitRegExpAST(pattern, {
    onGroupEnter: checkAlternatives,
    onCapturingGroupEnter: checkAlternatives,
    onQuantifierEnter(quantifier) {
      if (repeats > 0 && quantifier.min !== quantifier.max) {
        const { char: first } = getFirstConsumedChar(quantifier.element, "ltr", flags);
        const { char: next } = getFirstConsumedCharAfter(quantifier, "ltr", flags);
        if (!first.isDisjointWith(next)) found ??= quantifier.raw;
      }
      if (quantifier.max > harmlessRepeats) repeats++;
    },
    onQuantifierLeave(quantifier) {
      if (quantifier.max > harmlessRepeats) repeats--;
    },
  });
  return found;
}
