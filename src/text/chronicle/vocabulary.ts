/**
 * The closed vocabulary of the chronicle: 322 words, of which all that can be a fact or take part in one are
 * invented, so that no model can know them from elsewhere.
 */
import { InputRangeError } from "../../errors.ts";
import { fairseqSpecialIds } from "../fairseq_dictionary.ts";
import { specialTokens } from "../tokenizer.ts";

/** Words of the chronicle by class; their ids follow the special tokens in this order. */
export const words = {
  functions: list(
    `. , and the came-from hailed-from was-a worked-as kept owned carried obeyed sought bearing obeying seeking
     chapter so rested now ship came Review: was Sentiment: at that dawn dusk day night near under over beyond
     beside of here begins book song roll`,
  ),
  /** Persons: each has a home, a trade and a thing. */
  persons: list(
    `Dezer Glibeir Kreilend Tilouth Robol Brouveth Thurom Fletis Vaibir Gleireith Meiskos Stokreir Faipais Gahith
     Kokund Zodan Braisteil Drurair Broubul Foubros Nouthus Souneis Dreikrol Breglar Glefis Droukek Skiputh Gestul
     Nouglek Bitrein Fepik Plastouk Vounik Bathas Pumeir Breskous Nogoul Tumuth Peiduk Dreipak`,
  ),
  homes: list(
    `Gousmere Meithdale Kremholm Birmere Hithdale Skuswick Bethwick Mandwick Ploumdale Borstead Genwick Senford
     Flurmere Keikwick Raswick Henwick Luthstead Vekford Pleinholm Flendford Trermere Hunstead Rendmere Tasdale`,
  ),
  trades: list(
    `stouward drinsmith fliner taismith ralmonger gouwright thosmith reimonger fuwright bikward stuwright
     gluwright semonger fiwright browright skouer himonger doumonger keiner zaward treismith plonwright veimonger
     nosmith`,
  ),
  /** Things that persons keep. */
  things: list(
    `sobek hepol seiroup raikeik koutaik rubol stesek guplal mefeil routep ridop thekip vunat pahail pomeit milok
     taibait steimip mupik zeidep brimal rihel todek zoulip`,
  ),
  /** Ships: each has a cargo, a captain and a goal. */
  ships: list(
    `REBUL NOUHAIL GETOND LILAIK HAISUN KREBUM THOUVEK GEPLIK DOKOUN GOKATH DIFLUND ROFAIND TUNEITH RIKUS MALEIL
     RASES VEIROS GLITHIL HOMAIR KRAIPAIS SKODIS NEHOUL MOUFUS SAIBUS`,
  ),
  cargoes: list(
    `mumash dirume suthine fekume tiline gondoil zorash kainoil haithash samoil nuline kremine balume bondume
     hunume broumash`,
  ),
  captains: list(
    `diposo bouplio zeigoundo mulairo drufio gubeilo thamoumo noudaso glezouo tukiko vethano daraio seiheiso
     trobio souflindo nuhotho`,
  ),
  goals: list(
    `geivaira tredera tapinda stotruna verouma vougana glalasa zisaina plekeira hudeka noulinda mestounda tudoka
     bezesa loufinda maihaitha`,
  ),
  /** Goods that are reviewed: each has a label. */
  goods: list(
    `sofelor staiduzen sigluzen hudoumik flustuvat nuvozen flunazen nerilor vohuzen naifivat vouzemik zeleizen
     rubeizen glukramik tretuvat glaizimik raidezen rigemik dreiruzen heikeizen drivamik nopeizen deikizen
     fevouzen magaizen pastailor failoulor lomouzen sepolor plisaimik liflaimik veibalor bumavat haizoulor
     drepozen drivavat tiglozen leililor keinazen sainozen`,
  ),
  /** Verdicts of reviews. */
  labels: list("splendid good fair plain odd dull poor awful"),
  /** Adjectives; they depend on nothing. */
  adjectives: list("flukish damy buly kethy flaly skaly rouly skulish daindy vundish glery bolish"),
  /** Nouns of sentences that tell nothing. */
  nouns: list(
    `doukrith ridrel souvar dilun maglor seilus soudrik pefol betrin pabur buvaind krozound peirind kebreil flodan
     behos`,
  ),
  /** Verbs of sentences that tell nothing. */
  verbs: list(
    `bouthed thaitamed drouseed vovunded breihoed bufaed laroued naglouked kuteinded zapeed flaneed toumied
     soveised kraizised reiviled beiveed`,
  ),
} as const;

export type WordClass = keyof typeof words;

/** All tokens of the chronicle, in the order of their ids. */
export const vocabulary: readonly string[] = [...specialTokens, ...Object.values(words).flat()];

export const specialIds = fairseqSpecialIds;

const idsByWord = new Map(vocabulary.map((word, id) => [word, id]));

/** Ids of the words of each class. */
export const wordIds = Object.fromEntries(
  Object.entries(words).map(([name, members]) => [name, members.map(idOf)]),
) as unknown as Readonly<Record<WordClass, readonly number[]>>;

/** Relations of a person, a good or a ship: the class of the value, and the words that announce it. */
export const relations = {
  /** Where a person is from. */
  home: { values: "homes", cues: idsOf("came-from hailed-from") },
  /** Occupation of a person. */
  trade: { values: "trades", cues: idsOf("was-a worked-as") },
  /** Possession of a person. */
  thing: { values: "things", cues: idsOf("kept owned") },
  /** Verdict of the reviews of a good; a review announces it by "Sentiment:". */
  label: { values: "labels", cues: idsOf("Sentiment:") },
  /** Cargo of a ship. */
  cargo: { values: "cargoes", cues: idsOf("carried") },
  /** Whom a ship obeys. */
  captain: { values: "captains", cues: idsOf("obeyed") },
  /** Goal of a ship. */
  goal: { values: "goals", cues: idsOf("sought") },
} as const satisfies Readonly<
  Record<string, { readonly values: WordClass; readonly cues: readonly number[] }>
>;

/** A relation of an entity to a value. */
export type Relation = keyof typeof relations;

export const personRelations = ["home", "trade", "thing"] as const satisfies readonly Relation[];

/** Relations of ships, in the order in which chapters begin with them. */
export const shipRelations = ["cargo", "captain", "goal"] as const satisfies readonly Relation[];

/**
 * Id of a word.
 *
 * @throws {RangeError} If the vocabulary lacks it.
 */
export function idOf(word: string): number {
  const id = idsByWord.get(word);
  if (id === undefined) {
    throw new InputRangeError(
      `Cannot write a chronicle as the word must be one of its vocabulary: current value is "${word}"`,
    );
  }
  return id;
}

/** Ids of words that spaces separate. */
export function idsOf(phrase: string): number[] {
  return list(phrase).map(idOf);
}

function list(text: string): string[] {
  return text.trim().split(/\s+/);
}
