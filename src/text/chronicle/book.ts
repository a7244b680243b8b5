/**
 * Books of the chronicle: little texts in chapters that tell facts and tell them again, often much later.
 */
import { Random } from "../../random.ts";
import { type BookConfig, checkChronicle, type ChronicleConfig } from "./config.ts";
import { Draft, drawFact, drawFacts, type Fact, pick } from "./draft.ts";
import type { ChronicleDocument } from "./recall.ts";
import { personRelations, shipRelations, wordIds } from "./vocabulary.ts";

export interface ChronicleBook extends ChronicleDocument {
  /** Position of each chapter's first token; chapter 0 begins after `<s>`. */
  readonly chapters: readonly number[];
}

/** Tokens of a chapter's opening, from "chapter" to its full stop; the first chapter's is another. */
export const openingTokens = 10;

/**
 * Writes a book. Its facts are drawn for it alone, and no weights can know them; the seed decides every token.
 *
 * @param seed Seed of all that is drawn; the same for the same book.
 * @param name Name of the book; default `book SEED`.
 * @throws {RangeError} If the configuration allows no book.
 */
export function writeBook(
  config: ChronicleConfig,
  seed: number | string,
  name: string = `book ${seed}`,
): ChronicleBook {
  const { book } = checkChronicle(config);
  const random = new Random(`${seed}/book`);
  const names = {
    persons: random.shuffle([...wordIds.persons]),
    goods: random.shuffle([...wordIds.goods]),
    ships: random.shuffle([...wordIds.ships]),
  };
  const draft = new Draft(random, config.sentence);
  /** Facts of the persons known, and those of the persons of each sentence about one. */
  const persons: Fact[][] = [], told: Fact[][] = [];
  /** Labels of the goods known, and of each review. */
  const goods: Fact[] = [], reviewed: Fact[] = [];
  const chapters: number[] = [];

  const tellKnown = () => {
    const draw = random.uniform();
    if (draw < book.recentPersonShare + book.anyPersonShare) {
      if (persons.length === 0) return draft.tellNothing();
      const facts = draw < book.recentPersonShare
        ? pick(lastDistinct(told, book.recentMentions), random)
        : pick(persons, random);
      told.push(facts);
      draft.tellSomeOf(facts);
    } else if (draw < book.recentPersonShare + book.anyPersonShare + book.reviewShare) {
      if (goods.length === 0) return draft.tellNothing();
      const label = random.uniform() < book.recentReviewShare
        ? pick(lastDistinct(reviewed, book.recentMentions), random)
        : pick(goods, random);
      reviewed.push(label);
      draft.tellReview(label);
    } else {
      draft.tellNothing();
    }
  };
  const introducePerson = () => {
    const facts = drawFacts(names.persons.pop()!, personRelations, random);
    const [first, ...others] = random.shuffle([...facts]);
    draft.tellPerson([first]);
    draft.tellPerson(others);
    persons.push(facts);
    told.push(facts);
  };
  const introduceGood = () => {
    const label = drawFact(names.goods.pop()!, "label", random);
    draft.tellReview(label);
    goods.push(label);
    reviewed.push(label);
  };

  let ship: Fact[] | undefined;
  for (let chapter = 0; chapter < book.chapters; chapter++) {
    chapters.push(draft.length);
    if (ship === undefined) draft.tellBeginning();
    else draft.tellOpening(ship);
    ship = drawFacts(names.ships.pop()!, shipRelations, random);
    draft.tellArrival(ship[0].entity);
    for (const fact of random.shuffle([...ship])) draft.tellShip(fact);

    for (const scene of scheduleChapter(book, random)) {
      switch (scene) {
        case "person":
          introducePerson();
          break;
        case "good":
          introduceGood();
          break;
        case "ship":
          draft.tellShip(pick(ship, random));
          break;
        case "known":
          tellKnown();
          break;
        default:
          scene satisfies never;
      }
    }
    draft.tellRest(ship[0].entity);
  }
  return { ...draft.finish(name), chapters };
}

/**
 * Writes books whose seeds follow from one: books of another seed, such as `"7/test"`, are others.
 *
 * @param count How many.
 */
export function writeBooks(
  config: ChronicleConfig,
  { seed, count }: { readonly seed: number | string; readonly count: number },
): ChronicleBook[] {
  return Array.from({ length: count }, (_, i) => writeBook(config, `${seed}/${i}`, `book_${i}`));
}

/** Scenes of a chapter after its opening and its ship's facts, in order; "person" is two sentences. */
function scheduleChapter(book: BookConfig, random: Random): Scene[] {
  const { personsPerChapter, goodsPerChapter, sentencesPerChapter, shipMentions } = book;
  const known = sentencesPerChapter - 2 * personsPerChapter - goodsPerChapter;
  const schedule = random.shuffle([
    ...repeat("person", personsPerChapter),
    ...repeat("good", goodsPerChapter),
    ...repeat("known", known),
  ]);
  const places = Array.from(
    { length: shipMentions },
    () => random.below(Math.ceil(book.shipShare * schedule.length) + 1),
  );
  for (const place of places.sort((a, b) => b - a)) schedule.splice(place, 0, "ship");
  return schedule;
}

/** Topic of a part of a chapter: someone or something new, its ship, or someone or something known. */
type Scene = "person" | "good" | "ship" | "known";

/** The last so many items that differ, the very last first. */
function lastDistinct<T>(items: readonly T[], count: number): T[] {
  const last: T[] = [];
  for (let i = items.length - 1; i >= 0 && last.length < count; i--) {
    if (!last.includes(items[i])) last.push(items[i]);
  }
  return last;
}

function repeat(scene: Scene, count: number): Scene[] {
  return new Array<Scene>(count).fill(scene);
}
