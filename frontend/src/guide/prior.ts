/** What is known beforehand of the change that an answer lacks: `vhmae.guide.prior`. */

import { SIZE } from "../colors";
import { symmetricEigen } from "../matrix";

/** As a prior file holds it. */
export interface PriorFile {
  scales: number[];
  weights: number[];
  covariance: number[][];
}

/** A mixture of normal distributions of mean zero: the covariance, times each scale squared. */
export class Prior {
  private found?: Float64Array;

  /**
   * @param covariance (30, 30), positive semidefinite.
   * @param scales (K,): deviations, as factors.
   * @param weights (K,): how likely each is beforehand; they sum to 1.
   */
  constructor(
    readonly covariance: Float64Array,
    readonly scales: number[],
    readonly weights: number[],
  ) {}

  static of(file: PriorFile): Prior {
    const total = file.weights.reduce((sum, weight) => sum + weight, 0);
    const covariance = new Float64Array(SIZE * SIZE);
    for (let i = 0; i < SIZE; i++)
      for (let j = 0; j < SIZE; j++)
        covariance[i * SIZE + j] = (file.covariance[i]![j]! + file.covariance[j]![i]!) / 2;
    return new Prior(covariance, file.scales, file.weights.map((weight) => weight / total));
  }

  /** L with L L' = covariance, (30, 30). */
  get root(): Float64Array {
    if (this.found) return this.found;
    const { values, vectors } = symmetricEigen(this.covariance, SIZE);
    for (let i = 0; i < SIZE; i++)
      for (let j = 0; j < SIZE; j++) vectors[i * SIZE + j]! *= Math.sqrt(Math.max(values[j]!, 0));
    return (this.found = vectors);
  }

  /** The variance of the whole mixture, as a factor of the covariance. */
  get spread(): number {
    return this.scales.reduce((sum, scale, k) => sum + this.weights[k]! * scale ** 2, 0);
  }

  /** The same, with every deviation so many times as large. */
  widened(factor: number): Prior {
    const scales = this.scales.map((scale) => scale * factor);
    const wide = new Prior(this.covariance, scales, this.weights);
    wide.found = this.root;
    return wide;
  }
}
