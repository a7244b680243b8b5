/**
 * Stories in the form of bAbI (arXiv 1502.05698), told among the sentences of a long text as in BABILong (arXiv 2406.10149): who is
 * where, who carries what. The first five tasks; names of persons, places and things are theirs, so that BABILong's labels apply;
 * the stories are drawn here.
 *
 * | task  | facts                                     | asked for                                        |
 * | ----- | ----------------------------------------- | ------------------------------------------------ |
 * | `qa1` | persons move                              | where one is                                     |
 * | `qa2` | persons move, take and drop things        | where a thing is                                 |
 * | `qa3` | the same                                  | where a thing was before it came to a place      |
 * | `qa4` | two relations of three places             | the place on one side of another                 |
 * | `qa5` | persons move, and give things to others   | who gave, what was given, and to whom, at last   |
 */
import type { Random } from "../../random.ts";
import { pick } from "../chronicle/draft.ts";
import { type GeneratedText, roomOf, type TextOptions } from "./generated_text.ts";
import { hideFacts, surroundByHaystack } from "./hiding.ts";

/** A task. */
export type BabiTask = "qa1" | "qa2" | "qa3" | "qa4" | "qa5";

/** The tasks, in the order of tables. */
export const babiTasks = ["qa1", "qa2", "qa3", "qa4", "qa5"] as const satisfies readonly BabiTask[];

/** Persons, places and things of a story. */
export interface BabiCast {
  readonly persons: readonly string[];
  readonly places: readonly string[];
  readonly things: readonly string[];
}

export interface Giving {
  readonly giver: string;
  readonly thing: string;
  readonly receiver: string;
}

/** The words of stories and prompts. */
export interface BabiWording {
  /** Who takes part in stories of a task. */
  cast(task: BabiTask): BabiCast;
  /** Who takes part in the story that is shown before the text; absent: none is shown. */
  readonly exampleCast?: BabiCast;
  readonly directions: readonly string[];
  moved(person: string, place: string, random: Random): string;
  took(person: string, thing: string, random: Random): string;
  dropped(person: string, thing: string, random: Random): string;
  gave(giving: Giving, random: Random): string;
  lies(place: string, direction: string, other: string): string;
  whereIs(person: string): string;
  whereIsThing(thing: string): string;
  whereWas(thing: string, before: string): string;
  /** Asks for the place in a direction of another, or for that of which it is in the direction. */
  whatLies(direction: string, other: string): string;
  ofWhatLies(place: string, direction: string): string;
  /** Asks for a part of the last giving to which the others apply. */
  given(asked: keyof Giving, known: Partial<Giving>): string;
  /** Announces a text. */
  readonly before: string;
  /** A question with the place of its answer. */
  ask(question: string): string;
  readonly joint: string;
  /** Words that no other sentence may have. */
  avoided(cast: BabiCast): readonly string[];
  /** Tokens of a written answer at most. */
  readonly answerTokens: number;
}

export interface BabiStory {
  readonly facts: readonly string[];
  readonly question: string;
  readonly answer: string;
}

/** Draws a story; one whose question has no answer yet is drawn again. */
function drawStory(
  task: BabiTask,
  { wording, cast, random }: {
    readonly wording: BabiWording;
    readonly cast: BabiCast;
    readonly random: Random;
  },
): BabiStory {
  for (;;) {
    const story = tellers[task](wording, cast, random);
    if (story) return story;
  }
}

type Teller = (wording: BabiWording, cast: BabiCast, random: Random) => BabiStory | undefined;

const tellers: Readonly<Record<BabiTask, Teller>> = {
  qa1(wording, cast, random) {
    const world = new World(wording, cast, random);
    const moves = 2 + random.below(9);
    for (let i = 0; i < moves; i++) world.move(pick(cast.persons, random));
    const [person, place] = pick([...world.places], random);
    return { facts: world.facts, question: wording.whereIs(person), answer: place };
  },

  qa2(wording, cast, random) {
    const world = World.lived(wording, cast, random, 6 + random.below(12));
    const known = [...world.histories].filter(([, history]) => history.length > 0);
    if (known.length === 0) return undefined;
    const [thing, history] = pick(known, random);
    return {
      facts: world.facts,
      question: wording.whereIsThing(thing),
      answer: history.at(-1)!,
    };
  },

  qa3(wording, cast, random) {
    const world = World.lived(wording, cast, random, 10 + random.below(16));
    const asked = [...world.histories].flatMap(([thing, history]) =>
      history.slice(1).flatMap((place, i) =>
        // A place where a thing was twice would have two answers.
        history.filter((other) => other === place).length === 1
          ? [{ thing, place, before: history[i] }]
          : []
      )
    );
    if (asked.length === 0) return undefined;
    const { thing, place, before } = pick(asked, random);
    return { facts: world.facts, question: wording.whereWas(thing, place), answer: before };
  },

  qa4(wording, { places }, random) {
    const [first, middle, last] = random.shuffle([...places]);
    const direction = pick(wording.directions, random);
    const facts = random.shuffle([
      wording.lies(first, direction, middle),
      wording.lies(middle, direction, last),
    ]);
    return random.below(2) === 0
      ? { facts, question: wording.whatLies(direction, middle), answer: first }
      : { facts, question: wording.ofWhatLies(middle, direction), answer: last };
  },

  qa5(wording, cast, random) {
    const world = new World(wording, cast, random);
    const steps = 4 + random.below(10);
    for (let i = 0; i < steps; i++) {
      if (random.below(3) === 0) world.move(pick(cast.persons, random));
      else world.handOver();
    }
    if (world.givings.length === 0) return undefined;
    const { giver, thing, receiver } = pick(world.givings, random);
    const [asked, known] = pick<[keyof Giving, Partial<Giving>]>([
      ["thing", { giver, receiver }],
      ["giver", { thing, receiver }],
      ["giver", { thing }],
      ["receiver", { giver, thing }],
      ["receiver", { thing }],
    ], random);
    const last = world.givings.findLast((giving) =>
      Object.entries(known).every(([part, name]) => giving[part as keyof Giving] === name)
    )!;
    return { facts: world.facts, question: wording.given(asked, known), answer: last[asked] };
  },
};

/** Where persons and things are, while it is told. */
class World {
  readonly facts: string[] = [];
  /** Last place of each person that has moved. */
  readonly places = new Map<string, string>();
  /** Places of each thing since it was first taken, in their order. */
  readonly histories: Map<string, string[]>;
  readonly givings: Giving[] = [];
  /** Who carries each thing. */
  readonly #holders = new Map<string, string>();
  readonly #wording: BabiWording;
  readonly #cast: BabiCast;
  readonly #random: Random;

  constructor(wording: BabiWording, cast: BabiCast, random: Random) {
    this.#wording = wording;
    this.#cast = cast;
    this.#random = random;
    this.histories = new Map(cast.things.map((thing) => [thing, []]));
  }

  /** A world in which persons have moved, taken and dropped. */
  static lived(wording: BabiWording, cast: BabiCast, random: Random, steps: number): World {
    const world = new World(wording, cast, random);
    for (let i = 0; i < steps; i++) {
      const draw = random.below(5);
      if (draw < 3) world.move(pick(cast.persons, random));
      else if (draw === 3) world.take();
      else world.drop();
    }
    return world;
  }

  /** A person goes to another place, with all things that are carried. */
  move(person: string): void {
    const here = this.places.get(person);
    const place = pick(this.#cast.places.filter((place) => place !== here), this.#random);
    this.places.set(person, place);
    this.facts.push(this.#wording.moved(person, place, this.#random));
    for (const [thing, holder] of this.#holders) {
      if (holder === person) this.histories.get(thing)!.push(place);
    }
  }

  /** Someone takes a thing that lies there: where things were at first is not told. */
  take(): void {
    const possible = [...this.places].flatMap(([person, place]) =>
      this.#cast.things.filter((thing) =>
        !this.#holders.has(thing) && [undefined, place].includes(this.histories.get(thing)!.at(-1))
      ).map((thing) => ({ person, place, thing }))
    );
    if (possible.length === 0) return;
    const { person, place, thing } = pick(possible, this.#random);
    this.#holders.set(thing, person);
    const history = this.histories.get(thing)!;
    if (history.length === 0) history.push(place);
    this.facts.push(this.#wording.took(person, thing, this.#random));
  }

  drop(): void {
    if (this.#holders.size === 0) return;
    const [thing, person] = pick([...this.#holders], this.#random);
    this.#holders.delete(thing);
    this.facts.push(this.#wording.dropped(person, thing, this.#random));
  }

  /** Someone takes a thing, or who carries one gives it to another person. */
  handOver(): void {
    const { persons, things } = this.#cast;
    const thing = pick(things, this.#random), giver = this.#holders.get(thing);
    if (giver === undefined) {
      const person = pick(persons, this.#random);
      this.#holders.set(thing, person);
      this.facts.push(this.#wording.took(person, thing, this.#random));
      return;
    }
    const receiver = pick(persons.filter((person) => person !== giver), this.#random);
    this.#holders.set(thing, receiver);
    this.givings.push({ giver, thing, receiver });
    this.facts.push(this.#wording.gave({ giver, thing, receiver }, this.#random));
  }
}

/** The labels of a task: all words that may be an answer. */
export function labelsOf(task: BabiTask, { persons, places, things }: BabiCast): string[] {
  return task === "qa5" ? [...persons, ...things] : [...places];
}

/** The labels that may answer a question: those that it does not name. */
export function possibleLabels(labels: readonly string[], question: string): string[] {
  const asked = question.toLowerCase();
  return labels.filter((label) => !asked.includes(label.toLowerCase()));
}

/** A text of a task, with the labels and the question by which answers are compared. */
export interface BabiText extends GeneratedText {
  /** All words that may be an answer. */
  readonly labels: readonly string[];
  /** The question alone. */
  readonly asked: string;
}

/**
 * Writes a text of a task, as long as has room.
 *
 * @throws {RangeError} If the length has no room for the facts and the question.
 */
export function writeBabiText(
  task: BabiTask,
  options: TextOptions<BabiWording>,
): BabiText {
  const { wording, haystack, length, instance, seed, count } = options;
  const maxAnswerTokens = options.maxAnswerTokens ?? wording.answerTokens;
  const room = roomOf("babilong", { task, length, instance, seed, maxAnswerTokens });
  const { random } = room;
  const cast = wording.cast(task), { exampleCast, joint } = wording;
  const { facts, question: asked, answer } = drawStory(task, {
    wording,
    cast,
    random: random("story"),
  });
  const example = exampleCast &&
    drawStory(task, { wording, cast: exampleCast, random: random("example") });
  const shown = example
    ? `${example.facts.join(joint)}${wording.ask(example.question)} ${example.answer}\n\n`
    : "";
  const question = wording.ask(asked);
  const context = hideFacts(facts, { ...room, count }, {
    ...surroundByHaystack(haystack, {
      random: random("haystack"),
      joint,
      without: wording.avoided(cast),
    }),
    before: `${wording.before}${shown}`,
    question,
  });
  const labels = labelsOf(task, cast);
  return {
    task,
    length,
    instance,
    context,
    question,
    answers: [answer],
    maxAnswerTokens,
    chance: 1 / possibleLabels(labels, asked).length,
    labels,
    asked,
  };
}
