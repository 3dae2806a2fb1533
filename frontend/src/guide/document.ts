/** A guide as its file holds it (schema 1): what a person says of a video. `vhmae.guide.document`. */

export const SCHEMA = 1;
export const KINDS = ["match", "target", "keep", "neutral", "brightness", "hue"] as const;
export type Kind = (typeof KINDS)[number];
/** Column and row, in pixels of the composite as shown, the origin top left. */
export type Place = [number, number];

/** A word about one place of the foreground. */
export interface Point {
  /** From 0. */
  frame: number;
  at: Place;
  is: Kind;
  /** What it should become: a place, `#rrggbb`, or how many stops brighter. */
  to?: Place | string | number;
  to_frame?: number;
  /** From 1; 1 where it is left out. */
  object?: number;
  /** 1 where it is left out. */
  weight?: number;
}

/** One take that was chosen out of several. */
export interface Choice {
  frame: number;
  round: number;
  of: number;
  chosen: number;
  object?: number;
  /**
   * How many of the guide's points, the first ones, had been said: the takes stand round what follows
   * from those; later ones pull from what was chosen. 0 where it is left out.
   */
  after_points?: number;
}

export const DIAL_RANGES = {
  exposure: 8,
  temperature: 100,
  tint: 100,
  contrast: 2,
  blacks: 50,
  saturation: 4,
} as const;
export type DialName = keyof typeof DIAL_RANGES;
export const DIALS = Object.keys(DIAL_RANGES) as DialName[];
export type Dials = Record<DialName, number>;

export interface Guide {
  schema: typeof SCHEMA;
  points: Point[];
  choices: Choice[];
  dials: Dials;
  shots: "this" | "all";
}

export const noDials = (): Dials =>
  ({ exposure: 0, temperature: 0, tint: 0, contrast: 0, blacks: 0, saturation: 0 });

export const emptyGuide = (): Guide => ({
  schema: SCHEMA,
  points: [],
  choices: [],
  dials: noDials(),
  shots: "this",
});

/** Choices of a guide whose point at a place, from 0, is taken out. */
export const withoutPointAt = (choices: readonly Choice[], place: number): Choice[] =>
  choices.map(({ after_points = 0, ...rest }) => {
    const left = after_points > place ? after_points - 1 : after_points;
    return left > 0 ? { ...rest, after_points: left } : rest;
  });

export const isTurned = (dials: Dials): boolean => DIALS.some((name) => dials[name] !== 0);

export const saysSomething = (guide: Guide): boolean =>
  guide.points.length > 0 || guide.choices.length > 0 || isTurned(guide.dials);
