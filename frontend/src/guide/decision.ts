/**
 * From a guide to the change of an object's map in one shot: points and choices in the order in which
 * they were said, then dials: `vhmae.guide.decision`.
 */

import { SIZE } from "../colors";
import { dialChange } from "./dials";
import { isTurned, type Choice, type Dials } from "./document";
import { Prior } from "./prior";
import { after, takes, type Take } from "./takes";
import { observe, report, update, type Observation, type PointReport, type Seen } from "./update";

/** What is added to the answer's overall map throughout a shot. */
export interface Decision {
  /** (30,), at full strength. */
  change: Float64Array;
  /** (30, 30): what is still not known of it. */
  covariance: Float64Array;
  /** Worked out when it is looked at: what contradicts what takes a while. */
  readonly points: PointReport[];
}

/** A foreground in a frame. */
export interface Scene {
  /** (P, 3), as it came. */
  colors: Float64Array;
  /** (30,), the answer's map. */
  overall: ArrayLike<number>;
}

/** All that was said of an object in a shot, and the frame that dials are fitted in. */
export interface Said extends Scene {
  seen?: readonly Seen[];
  /**
   * In the order in which they were made, each after the points that its `after_points` counts; each
   * next one is finer, whichever frame it was made at.
   */
  choices?: readonly Choice[];
  dials?: Dials;
  /** Of the frames that choices were made at, by number; others are as `colors` and `overall` say. */
  scenes?: Readonly<Record<number, Scene>>;
  strength?: number;
}

/** What has come of the first of the points and choices. */
interface Standing {
  /** What a first round of takes would be made along. */
  known: Prior;
  /** (30,): the change by now. */
  start: Float64Array;
  rounds: number;
  /** The number of the last point that was heard, in order of saying. */
  heard: number;
  /** What the points so far were heard as. */
  words: readonly Observation[];
  /** (30,): the change of the take that was chosen last, from which words count that say how much brighter. */
  chosen: Float64Array | null;
}

const unheard = (stood: Standing, seen: readonly Seen[], until = Infinity): Observation[] =>
  seen.filter(({ number }) => stood.heard < number && number <= until).map((one) => observe(one, stood.chosen));

/** After the points up to a number. */
function toldUntil(stood: Standing, seen: readonly Seen[], until: number): Standing {
  const told = unheard(stood, seen, until);
  if (told.length === 0) return stood;
  const belief = update(after(stood.known, stood.rounds), told, stood.start);
  // The next round's takes are finer still: what is left is to be what is believed now.
  const finer = after(new Prior(belief.covariance, [1], [1]), stood.rounds).scales[0]!;
  const known = new Prior(belief.covariance.map((value) => value / finer ** 2), [1], [1]);
  return { ...stood, known, start: belief.mean, heard: until, words: [...stood.words, ...told] };
}

/** After all choices, each after the points that were said before it. */
function standing(prior: Prior, { seen = [], choices = [], scenes, ...own }: Said): Standing {
  const start = new Float64Array(SIZE);
  let stood: Standing = { known: prior, start, rounds: 0, heard: 0, words: [], chosen: null };
  for (const choice of choices) {
    stood = toldUntil(stood, seen, choice.after_points ?? 0);
    const { colors, overall } = scenes?.[choice.frame] ?? own;
    const shown = takes(stood.known, colors, overall, choice.of, stood.rounds + 1, stood.start);
    const taken = shown[choice.chosen - 1];
    if (!taken) throw new RangeError(`take ${choice.chosen} of ${choice.of}`);
    // Who goes back to the composite takes back what the points had said, too.
    const known = taken.word === "untouched" ? prior : stood.known;
    stood = { ...stood, known, start: taken.change, chosen: taken.change, rounds: stood.rounds + 1 };
  }
  return stood;
}

/** The takes to choose from after all that was said, but for dials. */
export function nextTakes(prior: Prior, said: Said, of: number): Take[] {
  const stood = toldUntil(standing(prior, said), said.seen ?? [], Infinity);
  return takes(stood.known, said.colors, said.overall, of, stood.rounds + 1, stood.start);
}

/** Hear all that was said of an object in a shot. */
export function decide(prior: Prior, said: Said): Decision {
  const { seen = [], choices = [], dials, colors, overall, strength = 1 } = said;
  const stood = standing(prior, said);
  const last = unheard(stood, seen);
  const belief = update(after(stood.known, stood.rounds), last, stood.start);
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
      return report(after(prior, choices.length), seen, change, strength, [...stood.words, ...last]);
    },
  };
}
