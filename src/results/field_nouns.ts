/** Names and units in figures of swept fields, where they differ from the fields' names. */
const fieldNouns: Readonly<Record<string, { readonly label: string; readonly unit?: string }>> = {
  capacityTokens: { label: "memory size", unit: "tokens" },
  chunkTokens: { label: "chunk length", unit: "tokens" },
  retrievedTokens: { label: "retrieved tokens", unit: "tokens of a query" },
  memoryDemonstrations: { label: "demonstrations in memory" },
  demonstrations: { label: "demonstrations in memory" },
  contextTokens: { label: "context", unit: "tokens" },
};

/** The name of a swept field on an axis: in words where there are any, or its own. */
export function fieldNoun(path: string): { readonly label: string; readonly unit?: string } {
  const name = path.split(".").at(-1)!;
  return Object.hasOwn(fieldNouns, name) ? fieldNouns[name] : { label: name };
}
