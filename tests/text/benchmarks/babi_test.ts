import {
  type BabiTask,
  babiTasks,
  type BabiText,
  writeBabiText,
} from "../../../src/text/benchmarks/babi.ts";
import { chronicleBabi, englishBabi } from "../../../src/text/benchmarks/babi_wordings.ts";
import { haystackOf } from "../../../src/text/benchmarks/haystack.ts";
import { vocabulary } from "../../../src/text/chronicle/vocabulary.ts";
import { assert, test } from "../../testing.ts";

const haystack = haystackOf(
  [Array.from({ length: 50 }, (_, i) => `Line ${i} is dull. Mary slept in the garden.`).join(" ")],
  { lines: false },
);
const countWords = (text: string) => text.split(/\s+/).filter((word) => word !== "").length;
const write = (task: BabiTask, instance = 0, length = 400) =>
  writeBabiText(task, {
    wording: englishBabi,
    haystack,
    length,
    instance,
    seed: 1,
    count: countWords,
  });
/** The facts of a text behind its example, in their order. */
function factsOf({ context }: BabiText): string[] {
  const text = context.slice(context.lastIndexOf("\n\n") + 2);
  return text.split(/(?<=\.) /).filter((sentence) => !sentence.startsWith("Line"));
}

/** Answers a question by the facts, read backwards from the question: another way than the one in which stories are drawn. */
function answerOf(facts: readonly string[], question: string): string | undefined {
  const backwards = facts.toReversed();
  const person = /^Where is (\w+)\?/.exec(question)?.[1];
  if (person) {
    const move = backwards.find((fact) => new RegExp(`^${person} \\w+ to the`).test(fact));
    return move && / to the (\w+)\.$/.exec(move)![1];
  }
  const thing = /^Where (?:is|was) the (\w+)/.exec(question)?.[1];
  if (thing) {
    const places = placesOf(thing, facts);
    const before = / before the (\w+)\?/.exec(question)?.[1];
    return before ? places[places.indexOf(before) - 1] : places.at(-1);
  }
  const lies = facts.map((fact) => /^The (\w+) is (\w+) of the (\w+)\.$/.exec(fact)!);
  const what = /^What is (\w+) of the (\w+)\?/.exec(question);
  if (what) return lies.find(([, , way, other]) => way === what[1] && other === what[2])?.[1];
  const ofWhat = /^What is the (\w+) (\w+) of\?/.exec(question);
  if (ofWhat) return lies.find(([, place, way]) => place === ofWhat[1] && way === ofWhat[2])?.[3];

  const given = backwards.flatMap((fact) => {
    const found = /^(\w+) (?:gave|passed|handed) the (\w+) to (\w+)\.$/.exec(fact);
    return found ? [{ giver: found[1], thing: found[2], receiver: found[3] }] : [];
  });
  const forms: [RegExp, (names: string[]) => string | undefined][] = [
    [
      /^What did (\w+) give to (\w+)\?/,
      ([, a, b]) => given.find(({ giver, receiver }) => giver === a && receiver === b)?.thing,
    ],
    [
      /^Who gave the (\w+) to (\w+)\?/,
      ([, t, b]) => given.find(({ thing, receiver }) => thing === t && receiver === b)?.giver,
    ],
    [/^Who gave the (\w+)\?/, ([, t]) => given.find(({ thing }) => thing === t)?.giver],
    [/^Who received the (\w+)\?/, ([, t]) => given.find(({ thing }) => thing === t)?.receiver],
    [
      /^Who did (\w+) give the (\w+) to\?/,
      ([, a, t]) => given.find(({ giver, thing }) => giver === a && thing === t)?.receiver,
    ],
  ];
  const form = forms.find(([pattern]) => pattern.test(question));
  return form && form[1]([...form[0].exec(question)!]);
}

/** Where a thing was, told forwards: it goes where its carrier goes. */
function placesOf(thing: string, facts: readonly string[]): string[] {
  const at = new Map<string, string>(), places: string[] = [];
  let carrier: string | undefined;
  const arrive = (place: string | undefined) => {
    if (place !== undefined && places.at(-1) !== place) places.push(place);
  };
  for (const fact of facts) {
    const [who] = fact.split(" ");
    const place = / to the (\w+)\.$/.exec(fact)?.[1];
    if (place) {
      at.set(who, place);
      if (carrier === who) arrive(place);
    } else if (new RegExp(`(took|picked up|got|grabbed) the ${thing}\\.`).test(fact)) {
      carrier = who;
      arrive(at.get(who));
    } else if (new RegExp(`the ${thing}\\.`).test(fact)) {
      assert.equal(who, carrier, fact);
      carrier = undefined;
    }
  }
  return places;
}

test("every question has the answer that its facts give", () => {
  for (const task of babiTasks) {
    const answers = new Set<string>();
    for (let instance = 0; instance < 60; instance++) {
      const text = write(task, instance);
      const [answer] = text.answers;
      assert.equal(
        answerOf(factsOf(text), text.asked),
        answer,
        `${task}/${instance}: ${text.asked}`,
      );
      assert.ok(text.labels.includes(answer));
      answers.add(answer);
    }
    // Of six places, or seven persons and things.
    assert.ok(answers.size >= 6, `${task}: ${[...answers]}`);
  }
});

test("facts stand among sentences that name none of the persons, up to the length", () => {
  for (const task of babiTasks) {
    const text = write(task);
    const { context, question, maxAnswerTokens } = text;
    const tokens = countWords(context) + countWords(question) + maxAnswerTokens + 1;
    assert.ok(tokens <= 400 && tokens > 385, `${task}: ${tokens}`);
    assert.ok(!context.includes("Mary slept"));
    // The story before the text is about others.
    const shown = context.slice(0, context.lastIndexOf("\n\n"));
    assert.ok(/\nQuestion: .*\nAnswer: \w+$/.test(shown));
    assert.ok(!text.labels.some((label) => shown.includes(label)));
    assert.deepEqual(write(task), text);
  }
});

test("the chance of an answer drawn from the labels leaves out those that the question names", () => {
  assert.equal(write("qa1").chance, 1 / 6);
  assert.equal(write("qa3").chance, 1 / 5); // "... before the PLACE?"
  const { asked, chance } = Array.from({ length: 20 }, (_, i) => write("qa5", i))
    .find(({ asked }) => asked.startsWith("What did"))!;
  assert.equal(chance, 1 / 5, asked); // seven without giver and receiver
});

test("the chronicle's stories have its words alone", () => {
  const known = new Set(vocabulary);
  const books = haystackOf(["the ridrel of the pefol zapeed ."], { lines: true });
  for (const task of babiTasks) {
    const { context, question, answers } = writeBabiText(task, {
      wording: chronicleBabi,
      haystack: books,
      length: 300,
      instance: 1,
      seed: 1,
      count: countWords,
    });
    for (const word of `${context} ${question} ${answers[0]}`.trim().split(/\s+/)) {
      assert.ok(known.has(word), `${task}: "${word}"`);
    }
  }
});
