/**
 * Words as observations of the change that an answer lacks, and the update that follows from them:
 * `vhmae.guide.update`, in the same closed form.
 *
 * With the prior d ~ sum_k w_k N(m, s_k^2 L L'), G = L'H'R^-1 H L and b = L'H'R^-1 (r - H m),
 *
 *     z_k = (G + 1 / s_k^2)^-1 b
 *     log p_k = log w_k - 1/2 sum log(1 + s_k^2 g) + 1/2 b' z_k + const
 *
 * g the eigenvalues of G.
 */

import {
  LEVELS,
  LUMA,
  SIZE,
  addedTo,
  clip,
  fromLight,
  lumaOf,
  rowsAt,
  toLight,
  type Color,
} from "../colors";
import { gram, multiply, symmetricEigen, transpose } from "../matrix";
import type { Point } from "./document";
import type { Prior } from "./prior";

/** How far a person's word is off, in levels of 255: one deviation. */
export const EYE_LEVELS = 12;
/** What no quadratic map of a whole shot can do at one place, likewise. */
export const MAP_LEVELS = 7;
export const VARIANCE = (EYE_LEVELS ** 2 + MAP_LEVELS ** 2) / LEVELS ** 2;
/** Words that are left over by more than this contradict others. */
export const DEVIATIONS = 3;
/** A color this far outside [0, 1] is cut off visibly. */
export const CLIPPED = 0.5 / LEVELS;

type Rows = readonly Color[];
const COLOR: Rows = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
const GRAY: Rows = [
  [-1, 1, 0],
  [0, -1, 1],
];
const CHROMA: Rows = [
  [1 - LUMA[0], -LUMA[1], -LUMA[2]],
  [-LUMA[0], -LUMA[1], 1 - LUMA[2]],
];

/** A point as the picture shows it: means over a small disk inside the matte, sRGB-encoded. */
export interface Seen {
  point: Point;
  /** Of the point in its guide, from 1. */
  number: number;
  shot: number;
  composite: Color;
  /** What the network makes of it at full strength, not clipped. */
  answer: Color;
  /** The color that the point is told to take after. */
  goal?: Color;
  /** How much of its change the frame is given, 0 to 1: less of it in a fade. All of it, where it is not told. */
  share?: number;
}

/** `measure * color = wanted` at a place, whatever the color is made of. */
export interface Observation {
  measure: Rows;
  wanted: number[];
  composite: Color;
  answer: Color;
  variance: number;
}

const measured = (measure: Rows, color: Color): number[] =>
  measure.map((row) => row[0] * color[0] + row[1] * color[1] + row[2] * color[2]);

/**
 * What a point says of the change that the answer lacks.
 *
 * @param chosen (30,), the change that a choice has made by then, from which "half a stop brighter" counts.
 */
export function observe(seen: Seen, chosen: ArrayLike<number> | null = null): Observation {
  const { point, composite, answer } = seen;
  const more = chosen ? addedTo(composite, chosen) : ([0, 0, 0] as const);
  const now: Color = [answer[0] + more[0], answer[1] + more[1], answer[2] + more[2]];
  const variance = VARIANCE / (point.weight ?? 1);
  const whole = { composite, answer, variance };
  switch (point.is) {
    case "keep":
      return { ...whole, measure: COLOR, wanted: [...composite] };
    case "neutral":
      return { ...whole, measure: GRAY, wanted: [0, 0] };
    case "brightness":
      if (typeof point.to === "number") {
        const light = toLight(lumaOf(now)) * 2 ** point.to;
        return { ...whole, measure: [LUMA], wanted: [fromLight(light)] };
      }
      return { ...whole, measure: [LUMA], wanted: measured([LUMA], goalOf(seen)) };
    case "hue": {
      // A hue is told of another brightness, too: the same proportions at the one that is there.
      const goal = goalOf(seen);
      const scale = clip(lumaOf(now) / Math.max(lumaOf(goal), 1e-3), 0.25, 4);
      const wanted = measured(CHROMA, goal).map((value) => scale * value);
      return { ...whole, measure: CHROMA, wanted };
    }
    default:
      return { ...whole, measure: COLOR, wanted: [...goalOf(seen)] };
  }
}

function goalOf(seen: Seen): Color {
  if (!seen.goal) throw new TypeError(`point ${seen.number}: takes after nothing`);
  return seen.goal;
}

/** The color at the place with a change of the map (30,), not clipped. */
export function made(word: Observation, change: ArrayLike<number>): Color {
  const more = addedTo(word.composite, change);
  const [r, g, b] = word.answer;
  return [r + more[0], g + more[1], b + more[2]];
}

/** What is left to be done where the place has this color. */
export const leftOf = (word: Observation, color: Color): number[] =>
  measured(word.measure, color).map((value, i) => word.wanted[i]! - value);

/** What is known of the change after the words. */
export interface Belief {
  /** (30,). */
  mean: Float64Array;
  /** (30, 30). */
  covariance: Float64Array;
  /** (K,): how likely each scale is now. */
  weights: number[];
}

/**
 * The change of the map after all words, in closed form.
 *
 * @param start m, (30,): where the prior stands; without it, at no change.
 */
export function update(prior: Prior, told: readonly Observation[], start?: Float64Array): Belief {
  const begin = start ?? new Float64Array(SIZE);
  if (told.length === 0) {
    const covariance = prior.covariance.map((value) => value * prior.spread);
    return { mean: begin.slice(), covariance, weights: [...prior.weights] };
  }
  const { root } = prior;
  const { rows, values, count } = gathered(told, begin);
  const scaled = multiply(rows, root, count, SIZE, SIZE);
  const { values: raw, vectors } = symmetricEigen(gram(scaled, count, SIZE), SIZE);
  const found = raw.map((value) => Math.max(value, 0));
  const pull = multiply(
    transpose(vectors, SIZE, SIZE),
    multiply(transpose(scaled, count, SIZE), values, SIZE, count, 1),
    SIZE,
    SIZE,
    1,
  );
  const narrowed = prior.scales.map((scale) =>
    found.map((value) => scale ** 2 / (1 + scale ** 2 * value)),
  );
  const weights = posterior(prior, found, pull, narrowed);
  return believed(begin, multiply(root, vectors, SIZE, SIZE, SIZE), pull, narrowed, weights);
}

/** Rows of H and values r - H m, both over the deviation of each. */
function gathered(told: readonly Observation[], begin: Float64Array) {
  const count = told.reduce((sum, word) => sum + word.wanted.length, 0);
  const rows = new Float64Array(count * SIZE);
  const values = new Float64Array(count);
  let at = 0;
  for (const word of told) {
    const phi = rowsAt(word.composite);
    const left = leftOf(word, word.answer);
    const deviation = Math.sqrt(word.variance);
    word.measure.forEach((row, m) => {
      let value = left[m]!;
      for (let j = 0; j < SIZE; j++) {
        const entry =
          row[0] * phi[j]! + row[1] * phi[SIZE + j]! + row[2] * phi[2 * SIZE + j]!;
        rows[at * SIZE + j] = entry / deviation;
        value -= entry * begin[j]!;
      }
      values[at++] = value / deviation;
    });
  }
  return { rows, values, count };
}

/** How likely each scale is after the words. */
function posterior(
  prior: Prior,
  found: Float64Array,
  pull: Float64Array,
  narrowed: Float64Array[],
): number[] {
  const odds = prior.scales.map((scale, k) => {
    let fit = 0;
    let spread = 0;
    for (let i = 0; i < SIZE; i++) {
      fit += narrowed[k]![i]! * pull[i]! ** 2;
      spread += Math.log1p(scale ** 2 * found[i]!);
    }
    return Math.log(prior.weights[k]!) + 0.5 * fit - 0.5 * spread; // a scale may have no weight
  });
  const most = Math.max(...odds);
  const likely = odds.map((value) => Math.exp(value - most));
  const total = likely.reduce((sum, value) => sum + value, 0);
  return likely.map((value) => value / total);
}

/** Mean and covariance of the mixture, in the map's own coordinates. */
function believed(
  begin: Float64Array,
  base: Float64Array,
  pull: Float64Array,
  narrowed: Float64Array[],
  weights: number[],
): Belief {
  const centers = narrowed.map((narrow) => narrow.map((value, i) => value * pull[i]!));
  const center = new Float64Array(SIZE);
  centers.forEach((one, k) => one.forEach((value, i) => (center[i]! += weights[k]! * value)));
  const within = new Float64Array(SIZE * SIZE);
  centers.forEach((one, k) => {
    for (let i = 0; i < SIZE; i++) {
      within[i * SIZE + i]! += weights[k]! * narrowed[k]![i]!;
      const apart = weights[k]! * (one[i]! - center[i]!);
      for (let j = 0; j < SIZE; j++) within[i * SIZE + j]! += apart * (one[j]! - center[j]!);
    }
  });
  const mean = multiply(base, center, SIZE, SIZE, 1).map((value, i) => value + begin[i]!);
  const half = multiply(base, within, SIZE, SIZE, SIZE);
  const covariance = multiply(half, transpose(base, SIZE, SIZE), SIZE, SIZE, SIZE);
  return { mean, covariance, weights };
}

/** What was asked at a point, and what came out. */
export interface PointReport {
  number: number;
  composite: Color;
  /** Without the guide. */
  answer: Color;
  /** With it, clipped. */
  got: Color;
  /** Of what was asked: root mean square over its parts, in levels of 255. */
  levelsLeft: number;
  clipped: boolean;
  /** Number of another point that asks for something else, or null. */
  contradicts: number | null;
}

/**
 * What came of points of one object in one shot.
 *
 * @param change (30,), all that is added to the answer's map: of points, choices and dials.
 * @param strength of answer and change, 0 to 1.
 * @param told what each point was heard as; without it, what it says of the answer.
 */
export function report(
  prior: Prior,
  seen: readonly Seen[],
  change: ArrayLike<number>,
  strength = 1,
  told: readonly Observation[] = seen.map((one) => observe(one)),
): PointReport[] {
  return seen.map((one, place) => {
    const word = told[place]!;
    const full = made(word, change);
    const part = strength * (one.share ?? 1);
    const color = full.map((value, i) => one.composite[i]! + part * (value - one.composite[i]!));
    const got = color.map((value) => clip(value)) as unknown as Color;
    const left = rms(leftOf(word, got));
    // Black that was to be black is not cut off; of a part of the way, more is left anyway.
    const uncut = part === 1 ? 0 : rms(leftOf(word, color as unknown as Color));
    const loses = left > uncut + LEVELS * CLIPPED;
    const other = contradicting(prior, told, place);
    return {
      number: one.number,
      composite: one.composite,
      answer: one.answer,
      got,
      levelsLeft: left,
      clipped: loses && color.some((value, i) => Math.abs(value - got[i]!) > CLIPPED),
      contradicts: other === null ? null : seen[other]!.number,
    };
  });
}

/** The root mean square of what is left, in levels. */
const rms = (left: readonly number[]): number =>
  LEVELS * Math.sqrt(left.reduce((sum, value) => sum + value ** 2, 0) / left.length);

/** Which other word keeps this one from being heard, if all together leave it over. */
function contradicting(prior: Prior, told: readonly Observation[], place: number): number | null {
  const word = told[place]!;
  const unheard = (words: readonly Observation[]): number => {
    const left = leftOf(word, made(word, update(prior, words).mean));
    return Math.max(...left.map(Math.abs)) / Math.sqrt(VARIANCE);
  };
  if (told.length < 2 || unheard(told) <= DEVIATIONS || unheard([word]) > DEVIATIONS) return null;
  let worst: { other: number; by: number } | null = null;
  told.forEach((one, other) => {
    if (other === place) return;
    const by = unheard([word, one]);
    if (!worst || by > worst.by) worst = { other, by };
  });
  return (worst as { other: number } | null)?.other ?? null;
}
