/**
 * Pretraining data of a backbone for the chronicle.
 */
import type { TokenizedDocument } from "../document_tokens.ts";
import { Random } from "../../random.ts";
import { writeBook } from "./book.ts";
import { checkChronicle, type ChronicleConfig } from "./config.ts";
import { writeDrill } from "./drill.ts";

/**
 * Writes books and drills, `config.pretraining` of them, in a random order: about 8 million tokens by default.
 * One document is written when it is asked for, and its recalls are not kept.
 *
 * @param seed Seed of all that is drawn; none of its books is one that `writeBooks` writes of another seed.
 * @throws {RangeError} If the configuration allows no such documents.
 */
export function* writePretrainingDocuments(
  config: ChronicleConfig,
  seed: number | string,
): Generator<TokenizedDocument> {
  const { books, drills } = checkChronicle(config).pretraining;
  const order = Array.from({ length: books + drills }, (_, i) => i);
  for (const i of new Random(`${seed}/pretraining`).shuffle(order)) {
    const { name, tokens, words } = i < books
      ? writeBook(config, `${seed}/pretraining/${i}`, `book_${i}`)
      : writeDrill(config, `${seed}/pretraining/${i - books}`, `drill_${i - books}`);
    yield { name, tokens, words };
  }
}
