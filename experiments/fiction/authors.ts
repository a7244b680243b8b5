/**
 * Which novels of `data/novels` are read for what. No author is in two of these parts, so that neither backbone nor SideNet has
 * read anything by those whom the test asks about.
 */

/** The backbone is pretrained on these 52. */
export const backboneNovels = [
  "train/ABronte_*",
  "train/Anon_*",
  "train/Blackmore_*",
  "train-extra/Blackmore_*",
  "train/CBronte_*",
  "train-extra/CBronte_*",
  "train-extra/Cbronte_*",
  "test/Dickens_*",
  "train/Dickens_*",
  "train-extra/Dickens_*",
  "train/Eliot_*",
  "train-extra/Eliot_*",
  "train/Fielding_*",
  "train-extra/Fielding_*",
  "train/Galsworthy_*",
  "train/Gaskell_*",
  "train-extra/Gaskell_*",
  "train/James_*",
  "valid/James_*",
  "train/Lytton_*",
  "train-extra/Lytton_*",
  "train/Meredith_*",
  "train-extra/Meredith_*",
  "train/Morris_*",
  "train-extra/Morris_*",
  "train/Thackeray_*",
  "train-extra/Thackeray_*",
  "train/Trollope_*",
  "train-extra/Trollope_*",
  "train/Ward_*",
  "train-extra/Ward_*",
  "train/Wcollins_*",
  "train-extra/Wcollins_*",
];

/** The SideNet is adapted on these 20. */
export const memoryNovels = [
  "train/Barclay_*",
  "train-extra/Barclay_*",
  "train/Bennet_*",
  "train/Braddon_*",
  "train-extra/Braddon_*",
  "train/Conrad_*",
  "train-extra/Conrad_*",
  "train/Corelli_*",
  "train-extra/Corelli_*",
  "train/Gissing_*",
  "train-extra/Gissing_*",
  "train/Lawrence_*",
  "train-extra/Lawrence_*",
];

/** These two choose weights. */
export const validNovels = ["train/Ford_*"];

/** These 37, by 14 authors, are the test. */
export const testNovels = [
  "test/Austen_*",
  "train/Austen_*",
  "train/Burnett_*",
  "valid/Burnett_*",
  "test/Chesterton_*",
  "valid/Chesterton_*",
  "train/Doyle_*",
  "valid/EBronte_*",
  "train/Forster_*",
  "train/Haggard_*",
  "train-extra/Haggard_*",
  "test/Hardy_*",
  "train/Hardy_*",
  "train/Kipling_*",
  "train-extra/Kipling_*",
  "test/Lee_*",
  "train/Lee_*",
  "test/Richardson_*",
  "valid/Schreiner_*",
  "test/Sterne_*",
  "train/Sterne_*",
  "test/Stevenson_*",
  "train/Stevenson_*",
];

/** The authors of the test: their novels are not independent of each other. */
export const testAuthors = {
  "Austen_*": "Jane Austen",
  "Burnett_*": "Frances Hodgson Burnett",
  "Chesterton_*": "G. K. Chesterton",
  "Doyle_*": "Arthur Conan Doyle",
  "EBronte_*": "Emily Bronte",
  "Forster_*": "E. M. Forster",
  "Haggard_*": "H. Rider Haggard",
  "Hardy_*": "Thomas Hardy",
  "Kipling_*": "Rudyard Kipling",
  "Lee_*": "Vernon Lee",
  "Richardson_*": "Samuel Richardson",
  "Schreiner_*": "Olive Schreiner",
  "Sterne_*": "Laurence Sterne",
  "Stevenson_*": "Robert Louis Stevenson",
};
