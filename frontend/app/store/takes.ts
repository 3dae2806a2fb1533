/** Six takes to choose from, drawn as thumbnails. */

import { computed, effect, signal, untracked } from "@preact/signals";
import { NoGraphics, Renderer, guided, type Change, type Choice } from "../../src/index";
import { api } from "../api";
import type { TakesAnswer } from "../types";
import { answer } from "./answers";
import { frame, isScrubbing, shotAt, shown, speed, type Shown } from "./playhead";
import { currentObject, edit, guide, isOpen, keep, project, projectId, strengths } from "./project";
import { complain } from "./session";

export const COUNT = 6;
export const takes = signal<TakesAnswer | null>(null);
/** The takes that go with what is shown: not those of another shot or object, of a round or of a
 * point ago. */
export const current = computed<TakesAnswer | null>(() => {
  const found = takes.value;
  const isOurs =
    found?.object === currentObject.value &&
    found.round === chosenRounds().length + 1 &&
    (found.takes[0]?.choice.after_points ?? 0) === guide.value.points.length &&
    (guide.value.shots === "all" || shotAt(found.frame) === shotAt(frame.value));
  return isOurs ? found : null;
});
/** Pictures of the takes, in their order. */
export const thumbnails = signal<ImageBitmap[]>([]);
export const isLoading = signal(false);

/** How long nothing is said and no other frame is gone to before takes are made. */
const RESTS_MS = 400;
const THUMB_WIDTH = 336;
let control: AbortController | null = null;
let timer = 0;

/** Rounds that were chosen so far, of the object and in the frame that takes are shown of. */
export function chosenRounds(): Choice[] {
  const at = takesFrame();
  return guide.value.choices.filter(
    (one) => one.frame === at && (one.object ?? 1) === currentObject.value,
  );
}

/** Choices of an object go on in the frame in which they began, within a shot. */
export function takesFrame(): number {
  const here = frame.value;
  const last = guide.value.choices.findLast(
    (one) =>
      (one.object ?? 1) === currentObject.value &&
      (guide.value.shots === "all" || shotAt(one.frame) === shotAt(here)),
  );
  return last?.frame ?? here;
}

async function fetchTakes(): Promise<void> {
  const open = project.value;
  if (!open || !isOpen.value || speed.value) return;
  control?.abort();
  const { signal } = (control = new AbortController());
  isLoading.value = true;
  try {
    const body = { guide: guide.value, frame: takesFrame(), object: currentObject.value, count: COUNT };
    const found = await api.takes(open.id, body, signal);
    if (!signal.aborted) takes.value = found;
  } catch (error) {
    if (!signal.aborted) {
      takes.value = null;
      complain(error);
    }
  } finally {
    if (control?.signal === signal) isLoading.value = false;
  }
}

export function choose(number: number): void {
  const row = current.value?.takes.find((one) => one.take === number);
  if (row) edit("edit.choice", { guide: { choices: [...guide.value.choices, row.choice] } });
}

/** Take the last choice back, as one step of its own. */
export function takeBack(): void {
  const last = chosenRounds().at(-1);
  if (last) {
    edit("edit.unchoose", { guide: { choices: guide.value.choices.filter((one) => one !== last) } });
  }
}

/** Take a choice out, wherever it was made, with the finer ones that were made after it of the same object in the
 * same frame. */
export function removeChoice(index: number): void {
  const gone = guide.value.choices[index];
  if (!gone) return;
  const follows = (one: Choice, i: number): boolean =>
    i >= index && one.frame === gone.frame && (one.object ?? 1) === (gone.object ?? 1);
  edit("edit.unchoose", { guide: { choices: guide.value.choices.filter((one, i) => !follows(one, i)) } });
}

/** Of another clip there are none yet. */
effect(() => {
  void projectId.value;
  control?.abort();
  window.clearTimeout(timer);
  takes.value = null;
  thumbnails.value = [];
  isLoading.value = false;
});

effect(() => {
  const now = shown.value;
  void [guide.value.points, guide.value.choices, guide.value.shots, currentObject.value, answer.value === null];
  const isStanding = !speed.value && !isScrubbing.value && isOpen.value && now?.frame === frame.value;
  const isThere = now?.maps.objects[currentObject.value - 1] != null;
  window.clearTimeout(timer);
  if (!isStanding) control?.abort(); // of a frame that was left
  if (!isStanding || !now?.exact) return;
  if (!isThere) {
    takes.value = null;
    return;
  }
  timer = window.setTimeout(() => untracked(() => void fetchTakes()), RESTS_MS);
});

// --- thumbnails

let small: Renderer | null = null;

/** Other than the canvas of the page, one that lost its graphics does not get them back. */
function renderer(): Renderer {
  if (small?.isLost) small = null;
  return (small ??= new Renderer(new OffscreenCanvas(8, 8)));
}

/** Draw every take of what is shown. */
async function drawAll(now: Shown, answered: TakesAnswer): Promise<void> {
  const object = answered.object - 1;
  const [maps, own] = [now.maps.objects[object], now.mattes[object]];
  if (!maps || !own) return;
  const height = Math.round((THUMB_WIDTH * now.bitmap.height) / now.bitmap.width);
  const resized = (bitmap: ImageBitmap): Promise<ImageBitmap> =>
    createImageBitmap(bitmap, { resizeWidth: THUMB_WIDTH, resizeHeight: height, resizeQuality: "medium" });
  const [picture, matte] = await Promise.all([resized(now.bitmap), resized(own)]);
  const strength = (strengths.value[object] ?? 0) * now.maps.shares[object]!;
  const changes = answered.takes.map((take) => guided(maps, take.change, strength, keep.value));
  try {
    // Once more where the graphics are lost on the way.
    thumbnails.value = drawn(picture, matte, changes) ?? drawn(picture, matte, changes) ?? [];
  } catch (error) {
    if (!(error instanceof NoGraphics)) throw error; // the viewer says so: takes are their words
  }
}

/** A picture for each change; null where the graphics were lost. */
function drawn(picture: ImageBitmap, matte: ImageBitmap, changes: readonly Change[]): ImageBitmap[] | null {
  const draw = renderer();
  draw.canvas.width = picture.width;
  draw.canvas.height = picture.height;
  draw.setFrame(picture);
  const made: ImageBitmap[] = [];
  for (const change of changes) {
    draw.render([{ matte, change }]);
    draw.show({
      mode: "after", wipe: 0, gain: 1, showMatte: false, scale: 1, pixels: false, offset: [0, 0], ground: [0, 0, 0],
    });
    if (draw.isLost) return null;
    made.push((draw.canvas as OffscreenCanvas).transferToImageBitmap());
  }
  return made;
}

effect(() => {
  const [now, answered] = [shown.value, current.value];
  void [strengths.value, keep.value];
  if (now?.exact && answered && !speed.value) void drawAll(now, answered).catch(complain);
});
