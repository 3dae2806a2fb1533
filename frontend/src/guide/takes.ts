/**
 * Takes to choose from: an answer, the untouched composite, and the answer up and down the
 * directions that it is least sure of, in the colors of this foreground: `vhmae.guide.takes`.
 */

import { LUMA, SIZE, TERMS, added, basis, countOf } from "../colors";
import { gram, multiply, symmetricEigen, transpose } from "../matrix";
import type { Prior } from "./prior";

/** Deviations from one take to the next, round by round; then each is two thirds of the last. */
const STEPS = [1.2, 0.65, 0.4] as const;
/** The answer (or the take chosen last) and the untouched composite are always among them. */
const FIXED = 2;

export type TakeWord =
  | "plain"
  | "as chosen"
  | "untouched"
  | "brighter"
  | "darker"
  | "warmer"
  | "cooler"
  | "greener"
  | "pinker"
  | "harder"
  | "softer";

/** One way to go on. */
export interface Take {
  word: TakeWord;
  /** (30,), to be added to the answer's map. */
  change: Float64Array;
}

/** Deviations between the takes of a round, from 1. */
export const stepOf = (round: number): number =>
  STEPS[round - 1] ?? STEPS[2] * (2 / 3) ** (round - STEPS.length);

/**
 * The widest directions of what is not known, in these colors (P, 3): `count` of (30,), one
 * deviation each; the first is the widest. Upwards is brighter, or else warmer, or else greener.
 */
export function directions(prior: Prior, colors: Float64Array, count: number): Float64Array[] {
  const total = countOf(colors);
  const block = gram(basis(colors), total, TERMS).map((value) => value / total);
  const moments = new Float64Array(SIZE * SIZE);
  for (let channel = 0; channel < 3; channel++)
    for (let i = 0; i < TERMS; i++)
      for (let j = 0; j < TERMS; j++)
        moments[(channel * TERMS + i) * SIZE + channel * TERMS + j] = block[i * TERMS + j]!;
  const factor = Math.sqrt(prior.spread);
  const root = prior.root.map((value) => value * factor);
  const turned = multiply(transpose(root, SIZE, SIZE), multiply(moments, root, SIZE, SIZE, SIZE), SIZE, SIZE, SIZE);
  const { vectors } = symmetricEigen(turned, SIZE);
  return Array.from({ length: count }, (_, rank) => {
    const vector = new Float64Array(SIZE);
    for (let i = 0; i < SIZE; i++) vector[i] = vectors[i * SIZE + SIZE - 1 - rank]!;
    const one = multiply(root, vector, SIZE, SIZE, 1);
    // An eigenvector's sign is nobody's to say, and a choice must mean the same everywhere.
    return leaning(colors, one).upwards >= 0 ? one : one.map((value) => -value);
  });
}

/**
 * The takes of a round.
 *
 * @param overall (30,), the answer's map: the untouched composite is its opposite.
 * @param of how many, even: two fixed ones and two a direction.
 * @param start (30,), the change that they stand round: what was chosen last, and what points have said
 *   of it.
 */
export function takes(
  prior: Prior,
  colors: Float64Array,
  overall: ArrayLike<number>,
  of: number,
  round = 1,
  start?: Float64Array,
): Take[] {
  const begin = start ?? new Float64Array(SIZE);
  const found: Take[] = [
    { word: round > 1 ? "as chosen" : "plain", change: begin.slice() },
    { word: "untouched", change: Float64Array.from(overall, (value) => -value) },
  ];
  for (const one of directions(prior, colors, (of - FIXED) / 2)) {
    const { words } = leaning(colors, one);
    words.forEach((word, i) => {
      const step = (i === 0 ? 1 : -1) * stepOf(round);
      found.push({ word, change: begin.map((value, k) => value + step * one[k]!) });
    });
  }
  return found;
}

/** What is still not known after so many rounds: no more than the next round would show. */
export const after = (prior: Prior, rounds: number): Prior =>
  rounds === 0 ? prior : prior.widened(stepOf(rounds + 1));

/** The words for both ways of a direction, and how far upwards it points as it is. */
function leaning(colors: Float64Array, direction: Float64Array) {
  const moved = added(colors, direction);
  const count = countOf(colors);
  const mean = [0, 0, 0];
  let before = 0;
  const luma = (values: Float64Array, i: number): number =>
    LUMA[0] * values[3 * i]! + LUMA[1] * values[3 * i + 1]! + LUMA[2] * values[3 * i + 2]!;
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) mean[c]! += moved[3 * i + c]! / count;
    before += luma(colors, i) / count;
  }
  let slope = 0;
  let variance = 0;
  for (let i = 0; i < count; i++) {
    const apart = luma(colors, i) - before;
    slope += (luma(moved, i) * apart) / count;
    variance += apart ** 2 / count;
  }
  const [r, g, b] = mean as [number, number, number];
  const leanings: [readonly [TakeWord, TakeWord], number][] = [
    [["brighter", "darker"], LUMA[0] * r + LUMA[1] * g + LUMA[2] * b],
    [["warmer", "cooler"], (r - b) / 2],
    [["greener", "pinker"], (g - (r + b) / 2) / 2],
    [["harder", "softer"], slope / Math.max(Math.sqrt(variance), 1e-3)],
  ];
  let most = leanings[0]!;
  for (const one of leanings) if (Math.abs(one[1]) > Math.abs(most[1])) most = one;
  return { words: most[0], upwards: most[1] };
}
