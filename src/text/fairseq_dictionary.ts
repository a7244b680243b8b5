import { type SpecialIds, specialTokens } from "./tokenizer.ts";
import { InputSyntaxError } from "../errors.ts";

/** Ids of the four special symbols that every fairseq dictionary begins with (specification section 1). */
export const fairseqSpecialIds: Required<SpecialIds> = { bos: 0, pad: 1, eos: 2, unk: 3 };

/** A fairseq dictionary: the symbols of a vocabulary in the order of their ids. */
export interface Dictionary {
  /** Symbols by id: `<s>`, `<pad>`, `</s>`, `<unk>`, then those of the file. */
  readonly symbols: readonly string[];
  readonly ids: ReadonlyMap<string, number>;
}

/**
 * Reads a `dict.txt`: one `symbol count` a line; the symbol of line n (from 0) has the id 4 + n.
 *
 * @param text Content of the file.
 * @param name Name of the file, for errors.
 * @throws {SyntaxError} If a line is not a symbol and a count, or repeats a symbol.
 */
export function parseDictionary(text: string, name: string): Dictionary {
  const symbols: string[] = [...specialTokens];
  const ids = new Map(symbols.map((symbol, id) => [symbol, id]));
  for (const [number, line] of text.replace(/(?:\r\n?|\n)$/, "").split(/\r\n?|\n/).entries()) {
    const symbol = /^(\S+) \d+\s*$/.exec(line)?.[1];
    if (symbol === undefined) {
      throw new InputSyntaxError(
        `Cannot read dictionary "${name}" as line ${
          number + 1
        } must be a symbol, a space and a count: ` +
          `current value is ${JSON.stringify(line)}`,
      );
    }
    if (ids.has(symbol)) {
      throw new InputSyntaxError(
        `Cannot read dictionary "${name}" as line ${
          number + 1
        } repeats a symbol: current value is ` +
          JSON.stringify(symbol),
      );
    }
    ids.set(symbol, symbols.length);
    symbols.push(symbol);
  }
  return { symbols, ids };
}
