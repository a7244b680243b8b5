/** Part of other declarations: it has no default export, and is none itself. */
export const evaluation = { kind: "perplexity", split: "test", models: ["backbone"] } as const;
