/**
 * What a guide makes of the network's answer: asked of the server, and told at once by the page's
 * own solver, so that turning a dial or moving a point waits for nobody.
 */

import { computed, effect, signal, untracked } from "@preact/signals";
import {
  Prior,
  addedTo,
  colorOf,
  decide,
  diskMean,
  guided,
  mapAt,
  meanBeside,
  saysSomething,
  type Change,
  type Color,
  type Guide,
  type Pixels,
  type Point,
  type Scene,
  type Seen,
} from "../../src/index";
import { ApiError, api } from "../api";
import type { DiagnosisRow, GuideAnswer } from "../types";
import { mapsOf, mapsVersion } from "./maps";
import { bytesOf, pixelsOf } from "./pictures";
import { frame, shot, shotAt, shown, speed, type Shown } from "./playhead";
import { guide, isOpen, keep, move, objects, parts, project, projectId, restarts, strength, strengths } from "./project";
import { complain } from "./session";

/** What the server said last, and of which guide. */
export const answer = signal<GuideAnswer | null>(null);
const answeredGuide = signal<Guide | null>(null);
/** Whether more was said than was answered. */
export const isAsking = signal(false);
/** Changes that the page worked out since, by place of the part. */
const estimated = signal<Map<number, Float64Array>>(new Map());
/** The take that is looked at without being chosen. */
export const tried = signal<{ object: number; change: Float64Array } | null>(null);

const prior = signal<Prior | null>(null);

/** What is added to the maps of a part, by its place, in a shot. */
function changeOf(place: number, inShot: number): ArrayLike<number> | null {
  const trial = tried.value;
  if (trial?.object === place + 1 && inShot === shot.value) return trial.change;
  const own = estimated.value.get(place);
  if (own && inShot === shot.value) return own;
  const rows = answer.value?.changes ?? [];
  const object = parts.value[place];
  const found =
    rows.find((row) => row.object === object && row.shot === inShot) ??
    rows.find((row) => row.object === object && row.shot === null);
  return found?.change ?? null;
}

let told: (Change | null)[] = [];

/** The changes that are to be drawn, part by part; null where one is away. */
export const changes = computed<(Change | null)[]>(() => {
  const maps = shown.value?.maps;
  const made = (maps?.objects ?? []).map((one, i) =>
    one ? guided(one, changeOf(i, maps!.shot), (strengths.value[i] ?? 0) * maps!.shares[i]!, keep.value) : null,
  );
  // An answer that says what the page has worked out already is no reason to draw anew.
  if (!areAlike(made, told)) told = made;
  return told;
});

/** Of a map: much less than a level of any color. */
const ALIKE = 1e-5;

function areAlike(ours: readonly (Change | null)[], theirs: readonly (Change | null)[]): boolean {
  return ours.length === theirs.length && ours.every((one, i) => isAlike(one, theirs[i]!));
}

function isAlike(one: Change | null, other: Change | null): boolean {
  if (!one || !other) return one === other;
  if (one.local !== other.local || one.strength !== other.strength || `${one.keep}` !== `${other.keep}`) return false;
  return one.overall.every((value, i) => Math.abs(value - other.overall[i]!) < ALIKE);
}

/** What the answer does to an object in the shot that is shown. */
export function diagnosisOf(object: number): DiagnosisRow | null {
  const rows = answer.value?.diagnosis ?? [];
  return rows.find((row) => row.object === parts.value[object - 1]) ?? null;
}

// --- asking the server

/** From an answer to the next question, while a dial turns. */
const PAUSE_MS = 70;
let timer = 0;
let answered = 0;
let asking: AbortController | null = null;
let isStale = false;

async function ask(): Promise<void> {
  const open = project.value;
  isStale = false;
  if (!open || !isOpen.value) return void (isAsking.value = false);
  const control = (asking = new AbortController());
  const said = guide.value;
  try {
    const body = { guide: said, frame: frame.value, strength: strength.value, keep: keep.value, move: move.value };
    const found = await api.guide(open.id, body, control.signal);
    if (control.signal.aborted || project.value?.id !== open.id) return;
    answeredGuide.value = said;
    answer.value = found;
    if (guide.value === said) estimated.value = new Map();
  } catch (error) {
    if (!control.signal.aborted) complain(error);
  } finally {
    if (asking === control) {
      asking = null;
      answered = performance.now();
      if (isStale) askSoon();
      else isAsking.value = false;
    }
  }
}

/** Ask again soon: something was said, or is known better by now. What is asked already is answered
 * first, so that answers keep coming while a dial turns. */
export function askSoon(): void {
  isStale = true;
  isAsking.value = true;
  if (asking) return;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void ask(), Math.max(0, answered + PAUSE_MS - performance.now()));
}

/** Of another clip, nothing was said. */
effect(() => {
  void projectId.value;
  asking?.abort();
  asking = null;
  window.clearTimeout(timer);
  isAsking.value = false;
  prior.value = null;
  answer.value = null;
  answeredGuide.value = null;
  estimated.value = new Map();
  tried.value = null;
});

/** A question of other parts than the clip is opened with is not answered, however long one waits. */
effect(() => {
  void [move.value, restarts.value];
  untracked(() => {
    if (!asking) return;
    asking.abort();
    asking = null;
    askSoon();
  });
});

effect(() => {
  void [guide.value, strength.value, keep.value, move.value, shot.value, projectId.value, isOpen.value];
  if (isOpen.value && !speed.value) untracked(askSoon);
});

/** What was worked out holds in the shot that was shown then. */
effect(() => {
  void shot.value;
  untracked(() => (estimated.value = new Map()));
});

effect(() => {
  const id = projectId.value;
  if (!id || !isOpen.value || untracked(() => prior.value)) return;
  api
    .prior(id)
    .then((file) => {
      if (project.value?.id === id) prior.value = Prior.of(file);
    })
    .catch(complain);
});

// --- the page's own solver

/** Colors of a foreground, and the frame that they are of. */
type Measured = { colors: Float64Array; frame: number };
const colorsKnown = new Map<string, Measured | "asked">();

/** The colors that dials and takes are fitted in; null as long as they are on their way. */
function colorsOf(id: string, at: number | null, object: number): Measured | null {
  const key = `${id}/${at}/${object}`;
  const known = colorsKnown.get(key);
  if (known && known !== "asked") return known;
  if (known === undefined) {
    colorsKnown.set(key, "asked");
    api
      .colors(id, at, object)
      .then(async (found) => {
        await mapsOf(id).need(found.frame);
        colorsKnown.set(key, found);
      })
      .catch((error: unknown) => {
        colorsKnown.delete(key);
        if (!(error instanceof ApiError)) complain(error); // shown pixels stand in
      });
  }
  return null;
}

/** Forget what was measured: masks or the clip have changed. */
export function forgetColors(): void {
  colorsKnown.clear();
}

const MOST_COLORS = 4096;

/** As {@link colorsOf}, off what is shown: a preview's pixels. */
function shownColors(now: Shown, object: number): Measured | null {
  const matte = now.mattes[object - 1];
  if (!matte) return null;
  const { data } = pixelsOf(now.bitmap);
  const inside: number[] = [];
  bytesOf(matte).forEach((value, i) => value >= 128 && inside.push(i));
  const count = Math.min(MOST_COLORS, inside.length);
  if (count === 0) return null;
  const out = new Float64Array(3 * count);
  for (let i = 0; i < count; i++) {
    const from = inside[Math.floor((i * (inside.length - 1)) / Math.max(1, count - 1))]!;
    for (let c = 0; c < 3; c++) out[3 * i + c] = data[4 * from + c]! / 255;
  }
  return { colors: out, frame: now.frame };
}

/** The frame in whose colors a shot's dials and choices are fitted; null where nothing names one:
 * dials that turn all shots are fitted in each by the server, whose answer follows. */
export function referenceFrame(said: Guide, object: number, inShot: number): number | null {
  const here = (at: number): boolean => said.shots === "all" || shotAt(at) === inShot;
  const choice = said.choices.findLast((one) => (one.object ?? 1) === object && here(one.frame));
  if (choice) return choice.frame;
  return said.points.find((one) => (one.object ?? 1) === object && here(one.frame))?.frame ?? null;
}

/** Work out at once what a guide does in the shot that is shown; where the background moves, the
 * server says which side hears a point. */
function estimate(said: Guide): void {
  const [open, now, known] = [project.value, shown.value, prior.value];
  if (!open || !now || !known) return;
  if (parts.value.includes(0) && said.points.length > 0) return;
  const found = new Map<number, Float64Array>();
  for (let object = 1; object <= objects.value; object++) {
    const sceneOf = (measured: Measured | null): Scene | null => {
      const maps = measured && mapsOf(open.id).at(measured.frame)?.objects[object - 1];
      return maps ? { colors: measured.colors, overall: maps.overall } : null;
    };
    const at = referenceFrame(said, object, now.maps.shot);
    const own = sceneOf(colorsOf(open.id, at, object) ?? shownColors(now, object));
    if (!own) continue;
    const choices = said.choices.filter(
      (one) => (one.object ?? 1) === object && (said.shots === "all" || shotAt(one.frame) === now.maps.shot),
    );
    const scenes = Object.fromEntries(
      choices.map(({ frame }) => [frame, sceneOf(colorsOf(open.id, frame, object)) ?? own]),
    );
    const seen = seenPoints(said, object, now);
    found.set(object - 1, decide(known, { ...own, seen, choices, scenes, dials: said.dials }).change);
  }
  estimated.value = found;
}

/** The points of an object in the shot that is shown: as the server saw them, else as shown. */
function seenPoints(said: Guide, object: number, now: Shown): Seen[] {
  const before = answeredGuide.value;
  const rows = answer.value?.points ?? [];
  const found: Seen[] = [];
  said.points.forEach((point, i) => {
    if ((point.object ?? 1) !== object) return;
    if (said.shots === "this" && shotAt(point.frame) !== now.maps.shot) return;
    const old = before?.points.findIndex((one) => isSamePlace(one, point)) ?? -1;
    const row = rows.find((one) => one.point === old + 1);
    const seen = row
      ? fromRow(row.composite, row.answer, row.goal ?? null, point)
      : seeHere(point, object, now);
    if (seen) found.push({ ...seen, point, number: i + 1, shot: now.maps.shot });
  });
  return found;
}

type Colors = Pick<Seen, "composite" | "answer" | "goal">;

const unit = (levels: readonly number[]): Color =>
  levels.map((value) => value / 255) as unknown as Color;

function fromRow(
  composite: readonly number[],
  answered: readonly number[],
  goal: readonly number[] | null,
  point: Point,
): Colors | null {
  const told = typeof point.to === "string" ? colorOf(point.to) : goal ? unit(goal) : null;
  if (Array.isArray(point.to) && !told) return null;
  return { composite: unit(composite), answer: unit(answered), ...(told ? { goal: told } : {}) };
}

/** Whether two points were measured at the same places. */
function isSamePlace(one: Point, other: Point): boolean {
  const place = (point: Point): string =>
    JSON.stringify([point.frame, point.at, point.object ?? 1, point.to_frame, Array.isArray(point.to) && point.to]);
  return place(one) === place(other);
}

/** A point measured in what is shown, if it lies there. */
function seeHere(point: Point, object: number, now: Shown): Colors | null {
  const maps = now.maps.objects[object - 1];
  const matte = now.mattes[object - 1];
  const width = project.value?.width ?? now.bitmap.width;
  if (!maps || !matte || point.frame !== now.frame) return null;
  if ((point.to_frame ?? point.frame) !== now.frame) return null;
  const scale = now.bitmap.width / width;
  const pixels: Pixels = pixelsOf(now.bitmap);
  const [x, y] = [point.at[0] * scale, point.at[1] * scale];
  const composite = diskMean(pixels, x, y, bytesOf(matte));
  if (!composite) return null;
  const more = addedTo(composite, mapAt(maps, x, y, pixels.width, pixels.height));
  const answered: Color = [composite[0] + more[0], composite[1] + more[1], composite[2] + more[2]];
  const goal = Array.isArray(point.to)
    ? meanBeside(pixels, point.to[0] * scale, point.to[1] * scale, bytesOf(matte))
    : typeof point.to === "string"
      ? colorOf(point.to)
      : null;
  if ((Array.isArray(point.to) || typeof point.to === "string") && !goal) return null;
  return { composite, answer: answered, ...(goal ? { goal } : {}) };
}

effect(() => {
  const said = guide.value;
  untracked(() => {
    tried.value = null;
    if (said === answeredGuide.value || !shown.value || speed.value) return;
    if (saysSomething(said)) estimate(said);
    else estimated.value = new Map(parts.value.map((_, place) => [place, new Float64Array(30)]));
  });
});

const objectsThatAre = (): number[] => Array.from({ length: objects.value }, (_, i) => i + 1);

/** Have at hand what the next dial needs. */
effect(() => {
  const [open, now] = [project.value, shown.value];
  if (!open || !now?.exact || speed.value) return;
  untracked(() => {
    for (const object of objectsThatAre()) {
      if (!now.maps.objects[object - 1]) continue;
      colorsOf(open.id, referenceFrame(guide.value, object, now.maps.shot), object);
    }
  });
});

/** Maps that became better change what points mean. */
effect(() => {
  void mapsVersion.value;
  if (untracked(() => saysSomething(guide.value) && isOpen.value && !speed.value)) untracked(askSoon);
});
