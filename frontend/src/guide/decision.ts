/**
 * From a guide to the change of an object's map in one shot: choices first, then points, then dials:
 * `vhmae.guide.decision`.
 */

import { SIZE } from "../colors";
import { dialChange } from "./dials";
import { isTurned, type Choice, type Dials } from "./document";
import type { Prior } from "./prior";
import { after, chosen } from "./takes";
import { observe, report, update, type PointReport, type Seen } from "./update";

/** What is added to the answer's overall map throughout a shot. */
export interface Decision {
  /** (30,), at full strength. */
  change: Float64Array;
  /** (30, 30): what is still not known of it. */
  covariance: Float64Array;
  /** Worked out when it is looked at: what contradicts what takes a while. */
  readonly points: PointReport[];
}

/** All that was said of an object in a shot. */
export interface Said {
  seen?: readonly Seen[];
  /** Round by round. */
  choices?: readonly Choice[];
  dials?: Dials;
  /** (P, 3), of the foreground as it came. */
  colors: Float64Array;
  /** (30,), the answer's map. */
  overall: ArrayLike<number>;
  strength?: number;
}

/** Hear all that was said of an object in a shot. */
export function decide(prior: Prior, said: Said): Decision {
  const { seen = [], choices = [], dials, colors, overall, strength = 1 } = said;
  const start = choices.length > 0 ? chosen(prior, colors, overall, choices) : undefined;
  const known = after(prior, choices.length);
  const belief = update(known, seen.map(observe), start);
  const change = belief.mean.slice();
  if (dials && isTurned(dials)) {
    const answer = Float64Array.from(overall, (value, i) => value + belief.mean[i]!);
    const turned = dialChange(colors, answer, dials);
    for (let i = 0; i < SIZE; i++) change[i]! += turned[i]!;
  }
  return {
    change,
    covariance: belief.covariance,
    get points() {
      return report(known, seen, change, strength);
    },
  };
}
