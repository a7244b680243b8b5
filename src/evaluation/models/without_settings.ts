import { z } from "zod";
import type { ModelKind } from "../model_kind.ts";

/** A model that is evaluated as it is: its declaration is its name. */
export function withoutSettings<const Name extends string>(
  name: Name,
  kind: Omit<ModelKind<{ readonly model: Name }, Name>, "schema" | "fill" | "nameOf">,
): ModelKind<{ readonly model: Name }, Name> {
  return {
    schema: z.strictObject({ model: z.literal(name) }) as unknown as z.ZodType<
      { readonly model: Name }
    >,
    fill: () => name,
    nameOf: () => name,
    ...kind,
  };
}
