/** A rectangle of the attention matrix: rows b0..b1 of the batch, queries t0..t1, keys 0..t1. */
export interface AttentionBlock {
  readonly b0: number;
  readonly b1: number;
  readonly t0: number;
  readonly t1: number;
}
