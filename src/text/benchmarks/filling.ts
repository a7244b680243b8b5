/**
 * Texts of a chosen length: the largest number of parts, such as sentences, with which a text has no more than so many tokens.
 */
import { InputRangeError } from "../../errors.ts";

/** Tokenisations at most: halving ranges finds the number among thousands. */
const maxTries = 32;

/**
 * Fills a text. `build` must grow by about as many tokens for each part: three or four tokenisations find the number.
 *
 * @param build Writes the text with a number of parts; the same number gives the same text.
 * @param options `count`: tokens of a text; `budget`: tokens at most; `least`: parts at least; `name`: of the text, for errors.
 * @returns The text, of between `least` and as many parts as have room.
 * @throws {RangeError} If the fewest parts have no room.
 */
export function fillText<Text>(
  build: (parts: number) => Text,
  { count, budget, least, most = Infinity, name }: {
    readonly count: (text: Text) => number;
    readonly budget: number;
    readonly least: number;
    readonly most?: number;
    readonly name: string;
  },
): Text {
  const smallest = build(least), base = count(smallest);
  if (base > budget) {
    throw new InputRangeError(
      `Cannot write ${name} as it has no room: the shortest takes ${
        base - budget
      } tokens more than there are`,
    );
  }
  let best = smallest, kept = least, tooMany = most + 1;
  let parts = Math.min(most, least + 16);
  // The number that has room by the tokens of a part so far, between those that are known to have and to have not.
  for (let tries = 0; tries < maxTries && parts > kept && parts < tooMany; tries++) {
    const text = build(parts), tokens = count(text);
    if (tokens > budget) tooMany = parts;
    else [best, kept] = [text, parts];
    const perPart = Math.max(1, (tokens - base) / (parts - least));
    const proposed = parts + Math.floor((budget - tokens) / perPart);
    parts = proposed > kept && proposed < tooMany || tooMany === Infinity
      ? Math.max(kept + 1, proposed)
      : Math.ceil((kept + Math.min(tooMany, most + 1)) / 2);
  }
  return best;
}
