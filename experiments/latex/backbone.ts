/** Does a backbone for source code that is trained further on books in LaTeX keep its induction head? As `../fiction/backbone.ts` on novels. */
import { defineExperiment } from "@longmem/lab";
import fiction from "../fiction/backbone.ts";

export default defineExperiment({
  ...fiction,
  name: "latex_backbone",
  question:
    "Does a backbone for source code that is trained further on books in LaTeX keep its induction head?",
  corpus: {
    folder: "data",
    train: ["latex_books/train-backbone", "npm_code/train-backbone"],
    valid: "latex_books/valid",
    test: "latex_books/test",
    maxDocumentTokens: 256,
  },
});
