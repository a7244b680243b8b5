/**
 * Drills: documents from which a backbone learns, before and beside books, to find the continuation of an earlier mention.
 */
import { Random } from "../../random.ts";
import {
  checkChronicle,
  type ChronicleConfig,
  type CountRange,
  type DrillConfig,
} from "./config.ts";
import { Draft, drawFact, drawFacts, type Fact, pick } from "./draft.ts";
import type { ChronicleDocument } from "./recall.ts";
import {
  personRelations,
  type Relation,
  relations,
  shipRelations,
  type WordClass,
  wordIds,
} from "./vocabulary.ts";

/** Classes whose words are names, of which rolls pair one with values. */
const nameClasses = ["persons", "goods", "ships"] as const satisfies readonly WordClass[];

/** Words of songs: all but those that sentences are built with. */
const songWords = Object.entries(wordIds).flatMap(([name, ids]) => name === "functions" ? [] : ids);

/**
 * Writes a drill: scenes of songs, of rolls or of facts, each with facts of its own. Consecutive scenes have no name
 * in common, unless they need more than there are.
 *
 * @param seed Seed of all that is drawn; the same for the same drill.
 * @param name Name of the drill; default `drill SEED`.
 * @throws {RangeError} If the configuration allows no drill.
 */
export function writeDrill(
  config: ChronicleConfig,
  seed: number | string,
  name: string = `drill ${seed}`,
): ChronicleDocument {
  const { drill, sentence } = checkChronicle(config);
  const random = new Random(`${seed}/drill`);
  const draft = new Draft(random, sentence);
  const names = {
    persons: new NameSupply(wordIds.persons, random),
    goods: new NameSupply(wordIds.goods, random),
    ships: new NameSupply(wordIds.ships, random),
  };
  for (let scene = 0; scene < drill.scenes; scene++) {
    draft.forget();
    const end = draft.length + drill.sceneTokens;
    const draw = random.uniform();
    if (draw < drill.songShare) {
      while (draft.length < end) tellSong(draft, drill, random);
    } else if (draw < drill.songShare + drill.rollShare) {
      while (draft.length < end) tellRoll(draft, drill, names, random);
    } else {
      tellFacts(draft, drill, names, random, end);
    }
  }
  return draft.finish(name);
}

type Names = Readonly<Record<typeof nameClasses[number], NameSupply>>;

function tellSong(draft: Draft, drill: DrillConfig, random: Random): void {
  const phrase = Array.from(
    { length: drawCount(drill.songWords, random) },
    () => pick(songWords, random),
  );
  for (let i = drawCount(drill.repetitions, random); i > 0; i--) draft.tellSong(phrase);
}

function tellRoll(draft: Draft, drill: DrillConfig, names: Names, random: Random): void {
  const relation = pick(Object.keys(relations) as Relation[], random);
  const entities = names[pick(nameClasses, random)].take(drawCount(drill.rollPairs, random));
  const facts = entities.map((entity) => drawFact(entity, relation, random));
  draft.forget(); // a roll before it may have had other values for these names
  for (let i = drawCount(drill.repetitions, random); i > 0; i--) {
    draft.tellRoll(random.shuffle(facts));
  }
}

/** Sentences about few persons, goods and ships. */
function tellFacts(
  draft: Draft,
  drill: DrillConfig,
  names: Names,
  random: Random,
  end: number,
): void {
  const entities = drawCount(drill.entities, random);
  const goods =
    Array.from({ length: entities }).filter(() => random.uniform() < drill.goodShare).length;
  const subjects: (() => void)[] = [];
  for (const person of names.persons.take(entities - goods)) {
    const facts = drawFacts(person, personRelations, random);
    subjects.push(() => draft.tellSomeOf(facts));
  }
  for (const good of names.goods.take(goods)) {
    const label = drawFact(good, "label", random);
    subjects.push(() => draft.tellReview(label));
  }
  for (const ship of names.ships.take(drill.ships)) {
    const facts: Fact[] = drawFacts(ship, shipRelations, random);
    subjects.push(() => {
      if (random.uniform() >= drill.openingShare) return draft.tellShip(pick(facts, random));
      draft.tellRest(ship);
      draft.tellOpening(facts);
    });
  }
  while (draft.length < end) pick(subjects, random)();
}

function drawCount({ from, to }: CountRange, random: Random): number {
  return from + random.below(to - from + 1);
}

/** Names of a class, dealt in a random order, again and again. */
class NameSupply {
  readonly #names: number[];
  #dealt = 0;

  constructor(names: readonly number[], random: Random) {
    this.#names = random.shuffle([...names]);
  }

  /** The next so many names, no two the same. */
  take(count: number): number[] {
    return Array.from({ length: count }, () => this.#names[this.#dealt++ % this.#names.length]);
  }
}
