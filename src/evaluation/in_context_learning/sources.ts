/**
 * The sources of tasks of in-context learning: a file each, and its lines here.
 */
import type { Declared } from "../../declaration/part.ts";
import { Registry } from "../../declaration/registry.ts";
import { reviews, type ReviewSource } from "./reviews.ts";
import { sentences, type SentenceSource } from "./sentences.ts";
import type { DemonstrationSourceKind } from "./source.ts";

/** Where tasks of in-context learning come from. */
export type DemonstrationSource = SentenceSource | ReviewSource;

/** A source of tasks as declared. */
export type DemonstrationSourceDeclaration =
  | Declared<SentenceSource, "kind" | "folder">
  | Declared<ReviewSource, "kind">;

/** The sources that declarations may name. */
export const demonstrationSources = new Registry<
  DemonstrationSourceKind<DemonstrationSourceDeclaration, DemonstrationSource>,
  DemonstrationSourceDeclaration
>({ sentences, chronicle: reviews });
