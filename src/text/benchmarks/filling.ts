/**
 * Texts of a chosen length: the largest number of parts, such as sentences, with which a text has no more than so many tokens.
 */
import { InputRangeError } from "../../errors.ts";

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
  const probe = Math.min(most, least + 16);
  let best = smallest, parts = probe, kept = least;
  let perPart = Math.max(1, (count(build(probe)) - base) / Math.max(1, probe - least));
  parts = Math.min(most, least + Math.floor((budget - base) / perPart));
  for (let tries = 0; tries < 16 && parts > kept; tries++) {
    const text = build(parts), tokens = count(text);
    perPart = Math.max(1, (tokens - base) / (parts - least));
    if (tokens > budget) {
      parts = Math.max(kept, parts - Math.max(1, Math.ceil((tokens - budget) / perPart)));
    } else {
      [best, kept] = [text, parts];
      parts = Math.min(most, parts + Math.floor((budget - tokens) / perPart));
    }
  }
  return best;
}
