/** Sizes of a bank. */
export interface BankShape {
  /** Separate banks G: 1 if shared, else one for each of the B rows. */
  readonly banks: number;
  readonly heads: number;
  readonly headDim: number;
  readonly capacityChunks: number;
  readonly chunkTokens: number;
}
