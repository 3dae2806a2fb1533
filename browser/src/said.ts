/** What a person says, shot by shot, and what follows from it: `vhmae.engine.pointing`. */

import {
  addedTo,
  colorOf,
  decide,
  diskMean,
  leastOf,
  emptyGuide,
  mapAt,
  meanBeside,
  nextTakes,
  withoutPointAt,
  type Choice,
  type Color,
  type Decision,
  type Guide,
  type Kind,
  type Maps,
  type Place,
  type Point,
  type Prior,
  type Seen,
  type Take,
} from "../../frontend/src/index";
import type { Masked } from "./video/mattes";

const MOST_COLORS = 4096;
export const TAKES = 6;

/** A frame that something is said of, as the network answered it. */
export interface Shown {
  frame: Masked;
  shot: number;
  /** Before strength and without what was said. */
  maps: Maps;
  /** How much of its change the frame is given, 0 to 1: less of it in a fade. */
  share: number;
}

/** Where dials and choices of a shot are measured. */
interface Reference {
  index: number;
  colors: Float64Array;
  overall: Float64Array;
}

/** What was said of a shot. */
export interface Told {
  seen: readonly Seen[];
  choices: readonly Choice[];
  reference: Reference;
}

export type Said = ReadonlyMap<number, Told>;

/** Colors of the foreground, evenly spread over it: (P, 3). */
export function foregroundColors({ pixels, matte }: Masked): Float64Array {
  const inside: number[] = [];
  const least = leastOf(matte);
  matte.forEach((value, i) => value >= least && inside.push(i));
  const count = Math.min(MOST_COLORS, inside.length);
  const out = new Float64Array(3 * count);
  for (let i = 0; i < count; i++) {
    const from = inside[Math.trunc((i * (inside.length - 1)) / Math.max(1, count - 1))]!;
    for (let c = 0; c < 3; c++) out[3 * i + c] = pixels.data[4 * from + c]! / 255;
  }
  return out;
}

const referenceOf = ({ frame, maps }: Shown): Reference => ({
  index: frame.index,
  colors: foregroundColors(frame),
  overall: maps.overall,
});

const toldOf = (said: Said, shown: Shown): Told =>
  said.get(shown.shot) ?? { seen: [], choices: [], reference: referenceOf(shown) };

/** The takes to choose from next. */
export function takesOf(said: Said, shown: Shown, prior: Prior): Take[] {
  const { seen, choices, reference } = toldOf(said, shown);
  const { colors, overall } = choices.length > 0 ? reference : referenceOf(shown);
  return nextTakes(prior, { seen, choices, colors, overall }, TAKES);
}

/** A take is chosen, from 1. */
export function withChoice(said: Said, shown: Shown, number: number): Said {
  const told = toldOf(said, shown);
  const reference = told.choices.length > 0 ? told.reference : referenceOf(shown);
  const round = told.choices.length + 1;
  const before = told.seen.length > 0 ? { after_points: told.seen.length } : {};
  const choice: Choice = { frame: reference.index, round, of: TAKES, chosen: number, ...before };
  return new Map(said).set(shown.shot, { ...told, reference, choices: [...told.choices, choice] });
}

/** The last choice of a shot is taken back. */
export function withoutChoice(said: Said, shot: number): Said {
  const told = said.get(shot);
  if (!told) return said;
  return kept(said, shot, { ...told, choices: told.choices.slice(0, -1) });
}

/** A shot of which nothing is said any more is left out. */
function kept(said: Said, shot: number, told: Told): Said {
  const next = new Map(said);
  if (told.seen.length > 0 || told.choices.length > 0) next.set(shot, told);
  else next.delete(shot);
  return next;
}

/** A place in the picture that something is said of, as it is measured there; null outside of the matte. */
export function measured({ frame, maps }: Shown, at: Place): { composite: Color; answer: Color } | null {
  const { pixels, matte } = frame;
  const inside = matte[at[1] * pixels.width + at[0]]! >= leastOf(matte);
  const composite = inside ? diskMean(pixels, ...at, matte) : null;
  if (!composite) return null;
  const more = addedTo(composite, mapAt(maps, ...at, pixels.width, pixels.height));
  return { composite, answer: [composite[0] + more[0], composite[1] + more[1], composite[2] + more[2]] };
}

/** What a point is to become: a color, so many stops, or a place of the frame that is shown. */
export type Goal = string | number | Place | undefined;

/** A point is said; null where its place is outside of the matte. */
export function withPoint(said: Said, shown: Shown, is: Kind, at: Place, to: Goal): Said | null {
  const found = measured(shown, at);
  if (!found) return null;
  const told = toldOf(said, shown);
  const point: Point = { frame: shown.frame.index, at, is, ...(to === undefined ? {} : { to }) };
  const { pixels, matte } = shown.frame;
  const goal = Array.isArray(to) ? meanBeside(pixels, ...to, matte) : typeof to === "string" ? colorOf(to) : null;
  const number = told.seen.length + 1;
  const seen: Seen = { point, number, shot: shown.shot, share: shown.share, ...found, ...(goal ? { goal } : {}) };
  return new Map(said).set(shown.shot, { ...told, seen: [...told.seen, seen] });
}

export function withoutPoint(said: Said, shot: number, place: number): Said {
  const told = said.get(shot);
  if (!told) return said;
  const seen = told.seen.filter((_, i) => i !== place).map((one, i) => ({ ...one, number: i + 1 }));
  return kept(said, shot, { ...told, seen, choices: withoutPointAt(told.choices, place) });
}

/** What is added to the maps of each shot that something was said of. */
export function decisionsOf(said: Said, prior: Prior, strength: number): Map<number, Decision> {
  const decisions = new Map<number, Decision>();
  for (const [shot, { seen, choices, reference }] of said) {
    const { colors, overall } = reference;
    decisions.set(shot, decide(prior, { seen, choices, colors, overall, strength }));
  }
  return decisions;
}

/** A guide file (`vhmae harmonize --guide`) that says the same. */
export function guideOf(said: Said): Guide {
  const guide = emptyGuide();
  for (const { seen, choices } of said.values()) {
    const before = guide.points.length; // points of other shots, which say nothing of this one
    guide.points.push(...seen.map(({ point }) => point));
    for (const choice of choices) {
      const after = choice.after_points;
      guide.choices.push(after ? { ...choice, after_points: before + after } : choice);
    }
  }
  return guide;
}
