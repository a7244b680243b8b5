/**
 * A chronicle while it is written.
 */
import type { Random } from "../../random.ts";
import type { SentenceConfig } from "./config.ts";
import type { ChronicleDocument, Recall, RecallKind } from "./recall.ts";
import { formatText } from "./tokenizer.ts";
import {
  idOf,
  idsOf,
  type Relation,
  relations,
  specialIds,
  type WordClass,
  wordIds,
} from "./vocabulary.ts";

/** A fact: an entity, a relation and its value. */
export interface Fact {
  /** Id of the name of a person, a good or a ship. */
  readonly entity: number;
  /** Relation of the value to the entity. */
  readonly relation: Relation;
  readonly value: number;
}

const and = idOf("and"), stop = idOf("."), comma = idOf(",");
const times = ["at dawn", "at dusk", "that day", "that night"].map(idsOf);
const places = idsOf("near under over beyond beside");
const [the, of, was, review, sentiment] = idsOf("the of was Review: Sentiment:");
const [so, rested, now, ship, came, chapter] = idsOf("so rested now ship came chapter");
const beginning = idsOf("here begins the book .");
const [song, roll] = idsOf("song roll");
const shipCues = idsOf("bearing obeying seeking");

/** Writes sentences, and keeps count of where facts were told: the first time told, later recalled. */
export class Draft {
  readonly #tokens: number[] = [specialIds.bos];
  readonly #recalls: Recall[] = [];
  /** Position of the value of each fact's last mention, by `keyOf`. */
  readonly #mentions = new Map<number, number>();
  readonly #random: Random;
  readonly #config: SentenceConfig;

  constructor(random: Random, config: SentenceConfig) {
    this.#random = random;
    this.#config = config;
  }

  /** Tokens so far. */
  get length(): number {
    return this.#tokens.length;
  }

  /** Forgets all facts told, so that the next mentions are first ones. */
  forget(): void {
    this.#mentions.clear();
  }

  /** "[at dawn] came-from NAME VALUE [and kept NAME VALUE] .": one or two facts about a person. */
  tellPerson(facts: readonly Fact[]): void {
    if (this.#happens(this.#config.timeShare)) this.#write(...pick(times, this.#random));
    facts.forEach((fact, i) => {
      if (i > 0) this.#write(and);
      this.#tellFact(fact, "person");
    });
    this.#write(stop);
  }

  /** One or two of the facts that are known of a person, in a random order. */
  tellSomeOf(facts: readonly Fact[]): void {
    const count = this.#happens(this.#config.twoFactShare) ? 2 : 1;
    this.tellPerson(this.#random.shuffle([...facts]).slice(0, count));
  }

  /** "carried SHIP VALUE .": a fact about a ship. */
  tellShip(fact: Fact): void {
    this.#tellFact(fact, "ship");
    this.#write(stop);
  }

  /** "Review: ADJECTIVE [and ADJECTIVE] was GOOD Sentiment: LABEL ." */
  tellReview(
    fact: Fact,
    twoAdjectives: boolean = this.#happens(this.#config.twoAdjectiveShare),
  ): void {
    this.#write(review, this.#draw("adjectives"));
    if (twoAdjectives) this.#write(and, this.#draw("adjectives"));
    this.#write(was, fact.entity, sentiment);
    this.#mention(fact, "label");
    this.#write(stop);
  }

  /** "the ADJECTIVE NOUN VERB near the NOUN .", or "the NOUN of the NOUN VERB .": tells nothing. */
  tellNothing(): void {
    const [noun, other] = [this.#draw("nouns"), this.#draw("nouns")];
    if (this.#random.below(2) === 0) {
      this.#write(the, this.#draw("adjectives"), noun, this.#draw("verbs"));
      this.#write(pick(places, this.#random), the, other, stop);
    } else {
      this.#write(the, noun, of, the, other, this.#draw("verbs"), stop);
    }
  }

  /** "now the ship SHIP came ." */
  tellArrival(name: number): void {
    this.#write(now, the, ship, name, came, stop);
  }

  /** "so rested SHIP ." */
  tellRest(name: number): void {
    this.#write(so, rested, name, stop);
  }

  /** "chapter bearing CARGO , obeying CAPTAIN , seeking GOAL .": the facts of a ship that is not named again. */
  tellOpening(facts: readonly Fact[]): void {
    this.#write(chapter);
    facts.forEach((fact, i) => {
      if (i > 0) this.#write(comma);
      this.#write(shipCues[i]);
      this.#mention(fact, "opening");
    });
    this.#write(stop);
  }

  /** "roll NAME VALUE NAME VALUE .": pairs of a drill. */
  tellRoll(facts: readonly Fact[]): void {
    this.#write(roll);
    for (const fact of facts) {
      this.#write(fact.entity);
      this.#mention(fact, "pair");
    }
    this.#write(stop);
  }

  /** "song WORD WORD WORD .": words of a drill that tell nothing. */
  tellSong(phrase: readonly number[]): void {
    this.#write(song, ...phrase, stop);
  }

  /** "here begins the book .": the opening of the first chapter. */
  tellBeginning(): void {
    this.#write(...beginning);
  }

  /** The document, from `<s>` to `</s>`. */
  finish(name: string): ChronicleDocument {
    const tokens = Int32Array.from([...this.#tokens, specialIds.eos]);
    return {
      name,
      tokens,
      words: tokens.length - 2,
      recalls: this.#recalls,
      text: () => formatText(tokens),
    };
  }

  #tellFact(fact: Fact, kind: RecallKind): void {
    this.#write(pick(relations[fact.relation].cues, this.#random), fact.entity);
    this.#mention(fact, kind);
  }

  #mention(fact: Fact, kind: RecallKind): void {
    const key = keyOf(fact), position = this.#tokens.length;
    const lastMention = this.#mentions.get(key);
    if (lastMention !== undefined) {
      this.#recalls.push({
        kind,
        position,
        answer: fact.value,
        entity: fact.entity,
        lastMention,
        distance: position - lastMention,
      });
    }
    this.#mentions.set(key, position);
    this.#write(fact.value);
  }

  #write(...ids: readonly number[]): void {
    this.#tokens.push(...ids);
  }

  #draw(name: WordClass): number {
    return pick(wordIds[name], this.#random);
  }

  #happens(share: number): boolean {
    return this.#random.uniform() < share;
  }
}

const relationNumbers = new Map(Object.keys(relations).map((name, i) => [name, i]));

/** A number for a fact's entity and relation. */
function keyOf({ entity, relation }: Fact): number {
  return entity * relationNumbers.size + relationNumbers.get(relation)!;
}

/** Draws one of some items. */
export function pick<T>(items: readonly T[], random: Random): T {
  return items[random.below(items.length)];
}

/** Draws the value of a fact, as likely any word of its class. */
export function drawFact(entity: number, relation: Relation, random: Random): Fact {
  return { entity, relation, value: pick(wordIds[relations[relation].values], random) };
}

/** Draws the values of several relations of an entity. */
export function drawFacts(
  entity: number,
  relations: readonly Relation[],
  random: Random,
): Fact[] {
  return relations.map((relation) => drawFact(entity, relation, random));
}
