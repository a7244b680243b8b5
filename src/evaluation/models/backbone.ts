import { z } from "zod";
import type { ModelKind } from "../model_kind.ts";
import { openInWindow } from "./in_window.ts";

/** The frozen language model alone. */
export const backbone: ModelKind<{ readonly model: "backbone" }, "backbone"> = {
  schema: z.strictObject({ model: z.literal("backbone") }),
  fill: ({ model }) => model,
  nameOf: (name) => name,
  needs: [],
  efficiency: { hasMemory: false },
  label: "the backbone alone",
  open: (_config, trained, context) => openInWindow({}, trained, context),
};
