import { decodeText } from "../../files.ts";
import type { DataSetSource } from "../data_set_source.ts";

/** WikiText-2: the raw test text is made of a copy whose line ends were doubled. */
export const wikitext: DataSetSource = {
  transform(source, { path }) {
    const text = decodeText(source, path).replaceAll("\r\n", "\n").replace(/^\n+|\n+$/g, "");
    // A line end came out as two, and one more was added to each run of them; blank lines hold a space.
    const lines = text.replace(/\n+/g, (run) => `\n${" \n".repeat((run.length - 3) >> 1)}`);
    return new TextEncoder().encode(` \n${lines}\n \n`);
  },
};
