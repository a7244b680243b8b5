/**
 * Facts hidden among the sentences of a text that is filled up to a length.
 */
import type { Random } from "../../random.ts";
import { fillText } from "./filling.ts";
import type { TextOptions, TextRoom } from "./generated_text.ts";
import { type Haystack, sentencesFrom } from "./haystack.ts";

/** The text among which facts stand. */
export interface Surroundings {
  /** Its first sentences, so many. */
  readonly take: (count: number) => readonly string[];
  /** Text between sentences. */
  readonly joint: string;
}

/**
 * Hides facts, in their order, between sentences, each place as likely.
 *
 * @param room The room for the text.
 * @param options `before`: text before the first sentence; `question`: text behind the last, which counts.
 * @throws {RangeError} If facts and question have no room.
 */
export function hideFacts(
  facts: readonly string[],
  { random, count, budget, name }: TextRoom & Pick<TextOptions<unknown>, "count">,
  { take, joint, before, question }: Surroundings & {
    readonly before: string;
    readonly question: string;
  },
): string {
  return fillText(
    (sentences) => {
      const around = [...take(sentences)], drawn = random("places");
      const places = facts.map(() => drawn.below(around.length + 1)).sort((a, b) => b - a);
      // From the last on, so that earlier places stay.
      [...facts].reverse().forEach((fact, i) => around.splice(places[i], 0, fact));
      return `${before}${around.join(joint)}`;
    },
    {
      count: (context) => count(context) + count(question),
      budget,
      least: 1,
      name,
    },
  );
}

/** Sentences of a haystack from a random one on, without those that contain one of some words. */
export function surroundByHaystack(
  haystack: Haystack,
  { random, joint, without }: {
    readonly random: Random;
    readonly joint: string;
    readonly without: readonly string[];
  },
): Surroundings {
  const first = random.below(haystack.sentences.length);
  return {
    joint,
    take(count) {
      const sentences = sentencesFrom(haystack, first, without);
      return Array.from({ length: count }, () => sentences.next().value);
    },
  };
}
