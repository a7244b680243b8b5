/**
 * Plain English words for facts that are drawn.
 */
import type { Random } from "../../random.ts";
import { InputRangeError } from "../../errors.ts";

const adjectives = list(`
  amber brave brief bright broad calm clever cold cosy crisp curly damp dark deep dry dusty early eager empty
  faint fair fancy fast fine flat fond fresh gentle giant glad gold grand green happy hollow honest humble
  icy jolly keen kind large late lazy light little lively lone loud lucky mellow mild misty narrow neat noble
  odd old open pale plain polite proud pure quick quiet rapid rare ripe rough round royal rusty salty sharp
  shiny short shy silent silver simple sleepy slim slow small smooth snowy soft solid sour spare steady steep
  still stout strange sturdy sunny sweet swift tall tame tart thick thin tidy tiny tough vast warm wavy wild wise
  wooden young
`);

const nouns = list(`
  acorn anchor apple arrow badge bakery basket beacon bell bench berry birch blanket boat bottle bridge brook
  broom bucket button cabin candle canyon carpet castle cedar cellar chair cherry clock cloud coast comet copper
  corner cottage cradle crane creek crown curtain desert door dragon drum eagle engine falcon farm feather fence
  ferry field finch flame flute forest fountain fox garden gate glacier glove goose grove hammer harbour harvest
  hawk heron hill horn island ivy jacket jar kettle key kite ladder lake lamp lantern leaf lemon letter lily
  lizard lobby maple market marsh meadow melon mirror moon mountain needle nest oak ocean olive orchard otter owl
  paddle palace pearl pebble pencil piano pigeon pillow pine planet plum pocket pond poppy quarry quilt rabbit
  raft rain ribbon river road robin rocket roof rope rose saddle sail salmon school shell shore shovel
  sparrow spoon spring squirrel stable station stone stove swan table teapot temple thistle thorn tiger tower
  train tulip tunnel valley velvet village violin wagon walnut wave well whale wheat wheel whistle willow window
  winter wolf yard zebra
`);

const verbs = list(`
  accept adjust agree allow answer arrive ask assist attend avoid bake balance begin bend borrow bounce bow build
  burn buy call carry catch change chase choose climb close collect compare cook count cover cross cut dance
  decide deliver dig divide draw dream drink drive earn eat enjoy enter expect explain fall fetch finish fly fold
  follow forget gather give grow guess hear help hide hold hope hunt improve invite join jump keep knit knock
  laugh learn leave lend lift listen look lose make marry measure meet mend mix move nod notice obey order
  paint pass pay pick plant play pour press promise pull push raise reach read repeat reply rest return ride ring
  rise run search sell send shake shine sing sit sleep speak spend stand start stay stop swim teach tell think
  throw touch travel trust try turn visit wait wake walk wash watch win work write
`);

/** Words that are unlike each other. */
const plain = [...new Set([...adjectives, ...nouns, ...verbs])];

/** Names of an adjective and a noun, as "amber-owl", that differ. */
export function drawNames(count: number, random: Random): string[] {
  const most = adjectives.length * nouns.length;
  return distinct(count, most, "names", () => {
    const i = random.below(most);
    return `${adjectives[i % adjectives.length]}-${nouns[Math.floor(i / adjectives.length)]}`;
  });
}

/** Words that differ; where the plain ones are too few, compounds of two nouns as "owlbridge" stand beside them. */
export function drawWords(count: number, random: Random): string[] {
  const words = random.shuffle([...plain]).slice(0, count);
  const known = new Set(words);
  const compounds = distinct(count - words.length, nouns.length ** 2 / 2, "words", () => {
    const i = random.below(nouns.length ** 2);
    const word = `${nouns[i % nouns.length]}${nouns[Math.floor(i / nouns.length)]}`;
    return known.has(word) ? undefined : word;
  });
  return random.shuffle([...words, ...compounds]);
}

/** Draws until there are so many that differ. */
export function distinct(
  count: number,
  most: number,
  what: string,
  draw: () => string | undefined,
): string[] {
  if (count > most) {
    throw new InputRangeError(
      `Cannot draw ${count} ${what} that differ as there are about ${Math.floor(most)}`,
    );
  }
  const drawn = new Set<string>();
  while (drawn.size < count) {
    const one = draw();
    if (one !== undefined) drawn.add(one);
  }
  return [...drawn];
}

function list(text: string): string[] {
  return text.trim().split(/\s+/);
}
