/** What the page knows, and what can be done: signals that its parts draw. */

import { computed, effect, signal, untracked } from "@preact/signals";
import { NoGraphics, Prior, type Decision, type Guide, type Kind, type Mode, type Place, type PriorFile, type Take } from "../../frontend/src/index";
import { t } from "../../frontend/src/page/words";
import type { Quality } from "./analysis/stream";
import { Harmonized } from "./harmonizing";
import { FILES, bytesOf } from "./network/files";
import { WorkerNetwork } from "./network/network";
import { decisionsOf, guideOf, takesOf, withChoice, withPoint, withoutChoice, withoutPoint, type Goal, type Said, type Shown } from "./said";
import { Unreadable, openClip, type Clip } from "./video/clip";
import { exampleFiles } from "./video/example";
import { AlphaMattes, FileMattes, PaintedMattes, type Masked, type MatteKind, type Mattes } from "./video/mattes";
import { write, type Written } from "./video/write";

// --- the network

export const network = signal<WorkerNetwork | null>(null);
export const networkTrouble = signal("");
const prior = signal<Prior | null>(null);

/** Fetch the network and what belongs to it. */
export async function fetchNetwork(): Promise<void> {
  try {
    const [opened, file] = await Promise.all([WorkerNetwork.open(), bytesOf(FILES.prior)]);
    prior.value = Prior.of(JSON.parse(new TextDecoder().decode(file)) as PriorFile);
    network.value = opened;
  } catch (error) {
    networkTrouble.value = error instanceof Error ? error.message : String(error);
  }
}

// --- what is brought

export const clip = signal<Clip | null>(null);
/** When each frame of the clip is shown, in seconds, as its file says. */
export const times = signal<readonly number[]>([]);
export const mask = signal<Clip | null>(null);
export const matteKind = signal<MatteKind>("file");
export const quality = signal<Quality>("balanced");
export const problem = signal("");
let painted = new PaintedMattes(0);

/** What went wrong, in words. */
function complain(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  if (error instanceof Unreadable) problem.value = t(error.key, error.values);
  else if (error instanceof NoGraphics) problem.value = t("live.no-graphics");
  else problem.value = error instanceof Error ? error.message : String(error);
}

/** Run what a person asked for; what goes wrong is said. */
export function run(work: () => Promise<void>): void {
  problem.value = "";
  void work().catch(complain);
}

export async function bringClip(file: File): Promise<void> {
  const before = mask.value;
  const opened = await openClip(file);
  const found = await opened.times();
  if (found.length === 0) throw new Unreadable("live.no-picture", { name: file.name });
  const blank = new PaintedMattes(opened.width * opened.height);
  const first = await blank.at(opened, 0, found[0]!);
  const brought = mask.value === before ? null : mask.value; // a mask that came while the clip was opened is its own
  forget();
  mask.value = brought;
  painted = blank;
  times.value = found;
  clip.value = opened;
  shown.value = first;
}

export async function bringMask(file: File): Promise<void> {
  mask.value = await openClip(file);
  forgetAnswers();
}

/** The example of the page, harmonized at once. */
export async function bringExample(): Promise<void> {
  const { composite, mask: cover } = await exampleFiles();
  await bringClip(composite);
  matteKind.value = "file";
  await bringMask(cover);
  await start();
}

export const isBrought = computed(() => clip.value !== null && (matteKind.value !== "file" || mask.value !== null));

function mattesNow(): Mattes {
  if (matteKind.value === "brush") return painted;
  return matteKind.value === "alpha" ? new AlphaMattes() : new FileMattes(mask.value!);
}

// --- what is harmonized

export const harmonized = signal<Harmonized | null>(null);
/** The frame that is shown, and its matte. */
export const shown = signal<Masked | null>(null);
/** What is being done: how many frames are, and how it is given up. */
export const work = signal<{ kind: "look" | "write"; frames: number; stop: AbortController } | null>(null);
/** How the last work went. */
export const pace = signal<{ frames: number; seconds: number } | null>(null);
let mattes: Mattes = new AlphaMattes();

function forgetAnswers(): void {
  work.value?.stop.abort();
  harmonized.value = null;
  said.value = new Map();
  armed.value = null;
  dropWritten();
}

function forget(): void {
  forgetAnswers();
  clip.value = mask.value = shown.value = null;
}

/** Do something that takes a while and can be given up. */
async function working(kind: "look" | "write", what: (signal: AbortSignal, told: (frames: number) => void) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const began = performance.now();
  let done = 0;
  pace.value = null;
  work.value = { kind, frames: 0, stop };
  try {
    await what(stop.signal, (frames) => {
      done = frames;
      if (work.value?.stop === stop) work.value = { kind, frames, stop };
    });
    pace.value = { frames: done, seconds: (performance.now() - began) / 1000 };
  } finally {
    if (work.value?.stop === stop) work.value = null;
  }
}

/** Look at the clip, and show the frame that is looked at harmonized. */
export async function start(): Promise<void> {
  const [asked, open] = [network.value, clip.value];
  if (!asked || !open) return;
  if (matteKind.value === "brush" && painted.isEmpty) throw new Unreadable("live.nothing-painted");
  if (matteKind.value === "alpha" && !open.mayBeTransparent) throw new Unreadable("live.no-alpha", { name: open.name });
  forgetAnswers();
  mattes = mattesNow();
  await working("look", async (signal, told) => {
    const found = await Harmonized.look(asked, open, mattes, quality.value, signal, told);
    const index = Math.min(shown.value?.index ?? 0, found.count - 1);
    const frame = await mattes.at(open, index, found.timestamps[index]!);
    signal.throwIfAborted();
    shown.value = frame;
    harmonized.value = found;
  });
}

let wanted = 0;

/** Show a frame; one that is asked for later overtakes. */
export async function seek(index: number): Promise<void> {
  const [open, found] = [clip.value, harmonized.value];
  if (!open) return;
  wanted = index;
  const of = found ? mattes : painted;
  const frame = await of.at(open, index, (found?.timestamps ?? times.value)[index]!);
  if (wanted === index && clip.value === open && harmonized.value === found) shown.value = frame;
}

// --- the brush

export const brush = signal<{ radius: number; value: 0 | 255 }>({ radius: 24, value: 255 });
/** Not while the network looks at what was painted, nor over an answer to it, which a stroke would make void. */
export const isPainting = computed(() => matteKind.value === "brush" && !harmonized.value && !work.value && clip.value !== null);

// Until then, the matte that is shown may be of another kind.
effect(() => {
  if (isPainting.value) untracked(showPainted);
});

function showPainted(): void {
  const now = shown.value;
  if (now) shown.value = { ...now, matte: painted.of(now.index) };
}

/** Go back to what was painted, at the frame that is shown. */
export const paintOn = (): void => forgetAnswers();

export function paint(at: Place): void {
  const now = shown.value;
  if (!now || !isPainting.value) return;
  const { radius, value } = brush.value;
  const matte = painted.paint(now.index, at, radius, now.pixels.width, value);
  shown.value = { ...now, matte };
}

export function clearPaint(): void {
  painted.clear();
  showPainted();
}

// --- what is said

export const strength = signal(1);
export const said = signal<Said>(new Map());
/** What the next click in the picture says. */
export const armed = signal<{ is: Kind; at?: Place } | null>(null);
export const targetColor = signal("#808080");
export const stops = signal(0.5);
/** A take that is looked at and not chosen. */
export const tried = signal<Float64Array | null>(null);

/** The frame that is shown, as the network answered it; null where there is nothing to say of it. */
export const answered = computed<Shown | null>(() => {
  const [found, frame] = [harmonized.value, shown.value];
  const maps = found && frame ? found.mapsOf(frame.index) : null;
  return maps && { frame: frame!, shot: found!.shotOf(frame!.index), maps, share: found!.shareOf(frame!.index) };
});

const decisions = computed<Map<number, Decision>>(() =>
  prior.value ? decisionsOf(said.value, prior.value, strength.value) : new Map(),
);

export const takes = computed<Take[]>(() => {
  const now = answered.value;
  return now && prior.value ? takesOf(said.value, now, prior.value) : [];
});

export const toldHere = computed(() => (answered.value ? (said.value.get(answered.value.shot) ?? null) : null));
/** What came of the points of the shot that is shown. */
export const cameOf = computed(() => (answered.value ? (decisions.value.get(answered.value.shot)?.points ?? []) : []));

/** What is drawn of the frame that is shown: a take that is tried stands in for what was said. */
export const change = computed(() => {
  const [found, frame] = [harmonized.value, shown.value];
  if (!found || !frame) return null;
  const now = answered.value;
  const attempt = tried.value;
  const instead = now && attempt ? new Map([[now.shot, { change: attempt } as Decision]]) : decisions.value;
  return found.changeOf(frame.index, instead, strength.value);
});

export function choose(number: number): void {
  if (answered.value) said.value = withChoice(said.value, answered.value, number);
  tried.value = null;
}

export function takeBack(): void {
  if (answered.value) said.value = withoutChoice(said.value, answered.value.shot);
}

export function removePoint(place: number): void {
  if (answered.value) said.value = withoutPoint(said.value, answered.value.shot, place);
}

/** Say what the next click means; the same again takes it back. */
export function arm(is: Kind): void {
  armed.value = armed.value?.is === is ? null : { is };
}

/** The picture was clicked while something is being said of it. */
export function clicked(at: Place): void {
  const [now, word] = [answered.value, armed.value];
  if (!now || !word) return;
  problem.value = "";
  if ((word.is === "match" || word.is === "hue") && !word.at) {
    armed.value = { ...word, at };
    return;
  }
  const goals: Partial<Record<Kind, Goal>> = { match: at, hue: at, target: targetColor.value, brightness: stops.value };
  const next = withPoint(said.value, now, word.is, word.at ?? at, goals[word.is]);
  armed.value = null;
  if (next) said.value = next;
  else problem.value = t("live.points.outside");
}

export const guide = (): Guide => guideOf(said.value);

// --- how it is looked at

export const mode = signal<Mode>("wipe");
export const wipe = signal(0.5);

// --- what is written

export const written = signal<(Written & { name: string; address: string }) | null>(null);

function dropWritten(): void {
  if (written.value) URL.revokeObjectURL(written.value.address);
  written.value = null;
}

// What was written, or is being written, is no longer what is shown.
effect(() => {
  void [said.value, strength.value];
  untracked(() => {
    dropWritten();
    const doing = work.value;
    if (doing?.kind !== "write" || doing.stop.signal.aborted) return;
    doing.stop.abort();
    problem.value = t("live.export.stopped");
  });
});

export async function writeFile(): Promise<void> {
  const [open, found] = [clip.value, harmonized.value];
  if (!open || !found) return;
  dropWritten();
  const changes = found.changes(decisions.value, strength.value);
  await working("write", async (signal, told) => {
    const made = await write(open, mattes, changes, signal, told);
    signal.throwIfAborted();
    const name = `${open.name.replace(/\.[^.]*$/, "")}.harmonized.${made.codec ? "mp4" : "png"}`;
    written.value = { ...made, name, address: URL.createObjectURL(made.file) };
  });
}
