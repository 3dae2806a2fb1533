/**
 * Six dials of a compositor, in linear light, and the quadratic maps that stand for them:
 * `vhmae.guide.dials`.
 */

import {
  LEVELS,
  LUMA,
  SIZE,
  TERMS,
  basis,
  clip,
  colorAt,
  countOf,
  fromLight,
  mapped,
  toLight,
  type Color,
} from "../colors";
import { multiply, solve, transpose } from "../matrix";
import { DIALS, DIAL_RANGES, isTurned, noDials, type Dials } from "./document";

/** Middle gray, about which contrast turns. */
const MIDDLE_GRAY = 0.18;
/** Stops a channel of temperature and tint at 100. */
const WARM = [0.5, 0, -0.5] as const;
const GREEN = [-1 / 3, 2 / 3, -1 / 3] as const;
/** A full turn of each dial: steps and the pull to 0 are measured in these. */
const UNITS = [1, 100, 100, 1, 10, 1] as const;
const REACH = DIALS.map((name, i) => DIAL_RANGES[name] / UNITS[i]!);
/** How much all colors count beside those of the foreground. */
const GRID_SHARE = 0.005;
const GRID_SIDE = 5;
const RIDGE = 1e-6;
/** Of the fit to goals that are cut off at black or white. */
const FIT_STEPS = 40;
/** Keeps dials at 0 which the colors say nothing about. */
const PULL = 1e-6;
const MOST_COLORS = 1024;

export const valuesOf = (dials: Dials): number[] => DIALS.map((name) => dials[name]);

/** Colors all over the cube, (125, 3): red turns slowest. */
const GRID = ((): Float64Array => {
  const out = new Float64Array(3 * GRID_SIDE ** 3);
  for (let i = 0; i < GRID_SIDE ** 3; i++) {
    const places = [Math.floor(i / GRID_SIDE ** 2), Math.floor(i / GRID_SIDE) % GRID_SIDE, i % GRID_SIDE];
    places.forEach((place, channel) => (out[3 * i + channel] = place / (GRID_SIDE - 1)));
  }
  return out;
})();

/** Turn the dials on one color; white may be exceeded. */
export const turn = (color: Color, dials: Dials): Color => turnBy(valuesOf(dials))(color);

/** The turning of colors by the six values, what can be prepared being prepared. */
function turnBy(values: readonly number[]): (color: Color) => Color {
  const [exposure, temperature, tint, contrast, blacks, saturation] = values as Six;
  const gains = [0, 1, 2].map(
    (i) => 2 ** (exposure + (temperature / 100) * WARM[i]! + (tint / 100) * GREEN[i]!),
  );
  const power = 2 ** contrast;
  const lift = blacks / 100;
  const spread = 2 ** saturation;
  return (color) => {
    const [r, g, b] = [0, 1, 2].map(
      (i) => MIDDLE_GRAY * ((toLight(color[i]!) * gains[i]!) / MIDDLE_GRAY) ** power + lift,
    ) as [number, number, number];
    const gray = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b;
    return [
      fromLight(gray + (r - gray) * spread),
      fromLight(gray + (g - gray) * spread),
      fromLight(gray + (b - gray) * spread),
    ];
  };
}
type Six = [number, number, number, number, number, number];

/**
 * The change of a map that turns its answer as the dials say: (30,), to be added to the map.
 *
 * @param colors (P, 3), of the foreground as it came.
 * @param overall (30,), the map that is turned.
 */
export function dialChange(
  colors: Float64Array,
  overall: ArrayLike<number>,
  dials: Dials,
): Float64Array {
  if (!isTurned(dials)) return new Float64Array(SIZE);
  const picked = spreadOut(colors);
  const shown = new Float64Array(picked.length + GRID.length);
  shown.set(picked);
  shown.set(GRID, picked.length);
  const [own, count] = [countOf(picked), countOf(shown)];
  const share = (GRID_SHARE * own) / countOf(GRID);
  const terms = basis(shown);
  const shared = transpose(terms, count, TERMS); // the grid counts as a share of all
  for (let j = 0; j < TERMS; j++) for (let i = own; i < count; i++) shared[j * count + i]! *= share;
  const normal = multiply(shared, terms, TERMS, count, TERMS);
  for (let j = 0; j < TERMS; j++) normal[j * TERMS + j]! += RIDGE * own;
  const nearest = solve(normal, shared, TERMS, count); // (10, P)
  const answer = mapped(shown, overall);
  const turning = turnBy(valuesOf(dials));
  const goal = new Float64Array(answer.length);
  for (let i = 0; i < count; i++) goal.set(turning(colorAt(answer, i)), 3 * i);

  // What lies below black or above white is cut off there, wherever it lies: a color whose goal is
  // cut off and which is beyond asks for nothing more: what it has is taken for its goal. At white
  // a goal keeps what lies beyond, which converges faster; no minimum is promised. Nesterov's step
  // ahead makes it fast.
  const wanted = goal.map((value, i) => value - answer[i]!);
  let change = multiply(nearest, wanted, TERMS, count, 3); // (10, 3)
  let ahead = change;
  for (let step = 1; step < FIT_STEPS; step++) {
    const more = multiply(terms, ahead, count, TERMS, 3);
    for (let i = 0; i < goal.length; i++) {
      const made = answer[i]! + more[i]!;
      const beyond = (goal[i]! <= 0 && made < 0) || (goal[i]! >= 1 && made > 1);
      wanted[i] = (beyond ? made : goal[i]!) - answer[i]!;
    }
    const found = multiply(nearest, wanted, TERMS, count, 3);
    const part = (step - 1) / (step + 2);
    ahead = found.map((value, i) => value + part * (value - change[i]!));
    change = found;
  }
  return transpose(change, TERMS, 3);
}

/** A map in a compositor's words. */
export interface Reading {
  dials: Dials;
  /** How much the map changes these colors: root mean square, in levels of 255. */
  changeLevels: number;
  /** How much of it the dials do not say, likewise. */
  leftLevels: number;
}

/** The setting of the dials that comes nearest to a map (30,) on colors (P, 3). */
export function readDials(colors: Float64Array, overall: ArrayLike<number>, most = MOST_COLORS): Reading {
  const picked = clipped(spreadOut(colors, most));
  return fitDials(picked, mapped(picked, overall), most);
}

/** The setting that comes nearest to a change of colors, by damped least squares. */
export function fitDials(before: Float64Array, after: Float64Array, most = MOST_COLORS): Reading {
  const colors = clipped(spreadOut(before, most));
  const goal = clipped(spreadOut(after, most));
  let setting: Float64Array = new Float64Array(6);
  let damping = 1e-3;
  let residual: Float64Array = residualOf(colors, goal, setting);
  let found = squares(residual);
  for (let tries = 0; tries < 40; tries++) {
    const tried = stepFrom(setting, residual, slopesOf(colors, goal, setting), damping);
    const after = residualOf(colors, goal, tried);
    const error = squares(after);
    if (error >= found) {
      damping *= 8;
      if (damping > 1e6) break;
      continue;
    }
    const settled = found - error < 1e-9 * found + 1e-15;
    [setting, residual, found] = [tried, after, error];
    damping = Math.max(damping / 4, 1e-9);
    if (settled) break;
  }
  const dials = noDials();
  DIALS.forEach((name, i) => (dials[name] = setting[i]! * UNITS[i]!));
  return {
    dials,
    changeLevels: levels(goal, (i) => colors[i]!),
    leftLevels: LEVELS * Math.sqrt(squares(residual.subarray(0, goal.length))),
  };
}

/** One step of Levenberg and Marquardt. */
function stepFrom(
  setting: Float64Array,
  residual: Float64Array,
  slopes: Float64Array[],
  damping: number,
): Float64Array {
  const normal = new Float64Array(36);
  const pull = new Float64Array(6);
  for (let i = 0; i < 6; i++) {
    for (let j = 0; j < 6; j++) normal[i * 6 + j] = dot(slopes[i]!, slopes[j]!);
    pull[i] = -dot(slopes[i]!, residual);
  }
  for (let i = 0; i < 6; i++) normal[i * 7]! += damping * normal[i * 7]! + 1e-12;
  const step = solve(normal, pull, 6, 1);
  return setting.map((value, i) => clip(value + step[i]!, -REACH[i]!, REACH[i]!));
}

/** Differences of all colors and the pull to 0. */
function residualOf(colors: Float64Array, goal: Float64Array, setting: Float64Array): Float64Array {
  const turning = turnBy(Array.from(setting, (value, i) => value * UNITS[i]!));
  const out = new Float64Array(goal.length + 6);
  const scale = 1 / Math.sqrt(goal.length);
  for (let i = 0; i < countOf(colors); i++) {
    const turned = turning(colorAt(colors, i));
    for (let c = 0; c < 3; c++) out[3 * i + c] = (clip(turned[c]!) - goal[3 * i + c]!) * scale;
  }
  for (let i = 0; i < 6; i++) out[goal.length + i] = Math.sqrt(PULL) * setting[i]!;
  return out;
}

/** Derivatives of the residual by the dials, in units of full turns, by central differences. */
function slopesOf(
  colors: Float64Array,
  goal: Float64Array,
  setting: Float64Array,
  step = 1e-4,
): Float64Array[] {
  return DIALS.map((_, dial) => {
    const moved = (sign: number) =>
      residualOf(colors, goal, setting.map((value, i) => (i === dial ? value + sign * step : value)));
    const behind = moved(-1);
    return moved(1).map((value, i) => (value - behind[i]!) / (2 * step));
  });
}

/** As many colors, evenly spread, as are looked at. */
function spreadOut(colors: Float64Array, most = MOST_COLORS): Float64Array {
  const count = countOf(colors);
  if (count <= most) return colors;
  const out = new Float64Array(3 * most);
  const step = (count - 1) / (most - 1);
  for (let i = 0; i < most; i++) {
    const from = i === most - 1 ? count - 1 : Math.trunc(i * step);
    out.set(colors.subarray(3 * from, 3 * from + 3), 3 * i);
  }
  return out;
}

const clipped = (colors: Float64Array): Float64Array => colors.map((value) => clip(value));
const squares = (values: Float64Array): number => dot(values, values);

function dot(one: Float64Array, other: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += one[i]! * other[i]!;
  return sum;
}

function levels(values: Float64Array, from: (index: number) => number): number {
  let sum = 0;
  values.forEach((value, i) => (sum += (value - from(i)) ** 2));
  return LEVELS * Math.sqrt(sum / values.length);
}
