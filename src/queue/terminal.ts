/**
 * Lines of several runs: those that stay below each other, and at the end of a terminal each run's activity,
 * redrawn in place.
 */

/** Where lines are shown. */
export interface DisplayOptions {
  /** Shows text as it is, line breaks and the sequences that move a terminal's cursor included. */
  readonly write: (text: string) => void;
  /** Whether lines can be redrawn. */
  readonly overwrites: boolean;
  /** Size of the terminal; asked for each time, as it may change. */
  readonly size?: () => { readonly columns: number; readonly rows: number };
}

/** Size of a terminal that does not know its own. */
const unknownSize = { columns: 80, rows: 24 };

/** Activity of one run: words that are kept together where a line is too long. */
export type Parts = readonly string[];

/** Shows lines. */
export class Display {
  readonly #options: DisplayOptions;
  /** Activity of each run, by its label. */
  readonly #current = new Map<string, Parts>();
  /** Remark about all runs. */
  #remark: string | undefined;
  /** Lines at the end of the terminal that are to be redrawn. */
  #drawn: readonly string[] = [];

  /** Shows nothing yet. */
  constructor(options: DisplayOptions) {
    this.#options = options;
  }

  /** Whether lines are redrawn, so that one may be shown often. */
  get overwrites(): boolean {
    return this.#options.overwrites;
  }

  /** Shows text of a run that stays, and ends its activity. */
  stay(label: string, text: string): void {
    this.#current.delete(label);
    this.beside(() => this.#options.write(`${text}\n`));
  }

  /** Shows a run's activity, and a remark about all runs, until the next call. */
  at(label: string, parts: Parts, remark?: string): void {
    this.#current.set(label, parts);
    this.#remark = remark;
    this.#draw(this.#lines());
  }

  /** Lets others write to the same terminal, as errors do. */
  beside(write: () => void): void {
    this.#draw([]);
    write();
    this.#draw(this.#lines());
  }

  /** Leaves nothing behind that is redrawn. */
  end(): void {
    this.#current.clear();
    this.#draw([]);
  }

  #lines(): string[] {
    if (!this.#options.overwrites || this.#current.size === 0) return [];
    const { columns, rows } = this.#size();
    // Not to the end, where a terminal would begin a new line, also for the ^C that it shows.
    const lay = (parts: Parts) => layOut(parts, Math.max(1, columns - 3));
    const lines = [...this.#current.values()].flatMap(lay);
    return [...lines, ...this.#remark ? lay([this.#remark]) : []].slice(0, Math.max(1, rows - 1));
  }

  /** A terminal that nobody has given a size, as one of a container, reports 0 by 0. */
  #size(): { columns: number; rows: number } {
    if (!this.#options.size) return { columns: Infinity, rows: Infinity };
    const { columns, rows } = this.#options.size();
    return { columns: columns || unknownSize.columns, rows: rows || unknownSize.rows };
  }

  /** Replaces the lines at the end. */
  #draw(lines: readonly string[]): void {
    if (this.#drawn.length === 0 && lines.length === 0) return;
    // A terminal that has become narrower wraps the lines it shows.
    const { columns } = this.#size();
    const rows = this.#drawn.reduce((sum, { length }) => sum + Math.ceil(length / columns || 1), 0);
    const up = rows > 1 ? `\x1b[${rows - 1}A` : "";
    const erase = this.#drawn.length > 0 ? `\r${up}\x1b[J` : "";
    this.#options.write(erase + lines.join("\n"));
    this.#drawn = lines;
  }
}

/** Words in lines that fit; no part is broken but one that is longer than a line. */
function layOut([first, ...rest]: Parts, columns: number): string[] {
  const lines = [first.slice(0, columns)];
  for (const part of rest) {
    const joined = `${lines.at(-1)}  ${part}`;
    if (joined.length <= columns) lines[lines.length - 1] = joined;
    else lines.push(`     ${part}`.slice(0, columns));
  }
  return lines;
}
