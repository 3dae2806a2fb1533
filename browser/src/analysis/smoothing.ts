/** Maps over time: averaged over the key frames of a shot. `vhmae.engine.smoothing`. */

import type { Maps } from "../../../frontend/src/index";

/** Deviation of the weights with which maps are averaged over time, in frames. */
export const SMOOTHING_FRAMES = 24;

/** What the network said at a key frame. */
export interface Estimate {
  shot: number;
  index: number;
  maps: Maps;
}

/**
 * The maps of a frame, averaged over the estimates of its shot.
 *
 * @param window frames that a window of key frames spans.
 * @param reach frames ahead at which estimates come into sight.
 */
export function smoothed(estimates: readonly Estimate[], index: number, window: number, reach: number): Maps {
  const places = estimates.map((one) => one.index);
  const distance = places.map((place) => Math.abs(place - index));
  const least = Math.min(...distance);
  const nearest = distance.map((value) => Number(value === least));
  let far = distance.map((value) => Math.exp(-0.5 * ((value - least) / SMOOTHING_FRAMES) ** 2));
  if (reach > 0) {
    far = far.map((weight, i) => {
      const ahead = places[i]! - index;
      return ahead > 0 ? weight * Math.min(1, Math.max(0, (reach - ahead) / Math.min(window, reach))) : weight;
    });
  }
  if (total(far) <= 0) far = nearest;
  // At the ends of a shot the estimates go on as in a mirror.
  const triangle = (center: number): number => Math.max(0, 1 - Math.abs(center - index) / window);
  const last = places.length - 1;
  let near = places.map((place, i) => {
    let weight = triangle(place);
    if (i > 0) weight += triangle(2 * places[0]! - place);
    if (i < last) weight += triangle(2 * places[last]! - place);
    return weight;
  });
  if (total(near) <= 0) near = nearest;
  const { rows, columns } = estimates[0]!.maps;
  const overall = mean(far, estimates.map((one) => one.maps.overall));
  const local = mean(near, estimates.map((one) => one.maps.local));
  return { overall, local: Float32Array.from(local), rows, columns };
}

/** Whether the oldest estimate is too old to count, and a younger one stands in for it. */
export function isPast(estimates: readonly Estimate[], index: number): boolean {
  const [first, second] = estimates;
  const hasOther = second !== undefined && second.shot === first!.shot && second.index <= index;
  return hasOther && first!.index < index - 3 * SMOOTHING_FRAMES;
}

const total = (weights: readonly number[]): number => weights.reduce((sum, weight) => sum + weight, 0);

function mean(weights: readonly number[], values: readonly ArrayLike<number>[]): Float64Array {
  const out = new Float64Array(values[0]!.length);
  const whole = total(weights);
  values.forEach((one, i) => {
    const share = weights[i]! / whole;
    if (share !== 0) for (let k = 0; k < out.length; k++) out[k]! += share * one[k]!;
  });
  return out;
}
