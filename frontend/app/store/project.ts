/** The clip that is open, its document, and the way back: undo and redo without end. */

import { computed, effect, signal } from "@preact/signals";
import { ApiError, api } from "../api";
import { emptyGuide, type Guide, type Kept } from "../../src/index";
import { t } from "../text";
import type { Document, Job, Opening, Project, Shot } from "../types";
import { complain, tell } from "./session";

export const project = signal<Project | null>(null);
/** Its number: what follows from another clip must not follow from each word of its progress. */
export const projectId = computed<string | null>(() => project.value?.id ?? null);
/** The document as it stands here; saved as one goes. */
export const document_ = signal<Document | null>(null);
export const saving = signal<"saved" | "saving" | "failed">("saved");

export const guide = computed<Guide>(() => document_.value?.guide ?? emptyGuide());
export const job = computed<Job>(() => document_.value?.job ?? {});
export const strength = computed<number>(() => job.value.strength ?? 1);
const NOTHING: readonly Kept[] = []; // always the same: what follows from it is not made anew
export const keep = computed<readonly Kept[]>(() => job.value.keep ?? NOTHING);
/** What moves: numbers of objects, then 0 for the background. Maps and mattes are of these. */
export const parts = computed<readonly number[]>(() => project.value?.parts ?? [1]);
/** Objects of which something can be said; of the background, where it moves alone, is said what is said of the first. */
export const objects = computed<number>(() => (parts.value[0] === 0 ? 1 : (project.value?.objects ?? 1)));
/** Who moves: the foreground, the background, or both. */
export const move = computed<string>(() => job.value.move ?? "foreground");
/** How much of its way the foreground goes; the background goes the rest. */
const share = computed<number>(() => {
  const [who, part] = move.value.split(":");
  if (who === "both") return part ? Number(part) : 0.5;
  return who === "background" ? 0 : 1;
});
/** How far each part goes. */
export const strengths = computed<number[]>(() =>
  parts.value.map((one) => strength.value * (one === 0 ? 1 - share.value : share.value)),
);
/** Shots, as far as they are known. */
export const shots = computed<readonly Shot[]>(() => project.value?.shots?.rows ?? []);
/** The object that takes and new points are about, from 1. */
export const currentObject = signal(1);
/** Of an object that is gone, when others were masked, nothing can be said. */
effect(() => {
  const isKnown = project.value?.objects != null; // not while the clip is being opened
  if (isKnown && currentObject.value > objects.value) currentObject.value = 1;
});

/** Whether frames can be asked for. */
export const isOpen = computed<boolean>(
  () =>
    (project.value?.frames ?? 0) > 0 &&
    (project.value?.state === "reading" || project.value?.state === "ready"),
);

// --- what was done, and can be undone

interface Step {
  label: string;
  job: Job;
  guide: Guide;
}
const past = signal<Step[]>([]);
const future = signal<Step[]>([]);
export const undoLabel = computed(() => past.value.at(-1)?.label ?? null);
export const redoLabel = computed(() => future.value.at(-1)?.label ?? null);
/** Steps of one gesture, such as the turning of a dial, are one. */
const GESTURE_MS = 900;
let lastGesture = { name: "", at: 0 };

export interface Edit {
  guide?: Partial<Guide>;
  /** Options that are undefined go back to their default. */
  job?: { [Name in keyof Job]?: Job[Name] | undefined };
}

/**
 * Change the document.
 *
 * @param label what is done, a key of the catalogue.
 * @param gesture edits of the same name that follow closely are one step.
 */
export function edit(label: string, change: Edit, gesture = ""): void {
  const now = document_.value;
  if (!now) return;
  const at = performance.now();
  const goesOn = gesture && gesture === lastGesture.name && at - lastGesture.at < GESTURE_MS;
  if (!goesOn) past.value = [...past.value, { label, job: now.job, guide: now.guide }];
  lastGesture = { name: gesture, at };
  future.value = [];
  put({
    ...now,
    guide: { ...now.guide, ...change.guide },
    job: tidy({ ...now.job, ...change.job }),
  });
}

/** A job holds what is not the default: options set to undefined are left out. */
function tidy(from: NonNullable<Edit["job"]>): Job {
  return Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined));
}

function step(from: typeof past, to: typeof past): string | null {
  const now = document_.value;
  const last = from.value.at(-1);
  if (!now || !last) return null;
  from.value = from.value.slice(0, -1);
  to.value = [...to.value, { label: last.label, job: now.job, guide: now.guide }];
  lastGesture = { name: "", at: 0 };
  put({ ...now, job: last.job, guide: last.guide });
  return last.label;
}

export function undo(): void {
  const label = step(past, future);
  if (label) tell(t("undo.done", { what: t(label) }));
}

export function redo(): void {
  const label = step(future, past);
  if (label) tell(t("redo.done", { what: t(label) }));
}

// --- named versions

/** What a version without a name is called: the first number that none has. */
export const unnamed = computed<string>(() => {
  const names = new Set(document_.value?.versions.map((one) => one.name));
  for (let number = 1; ; number++) {
    const name = t("versions.usual", { number });
    if (!names.has(name)) return name;
  }
});

/** Keep what stands here under a name, in the place of the version that has it. */
export function saveVersion(name: string): void {
  const now = document_.value;
  if (!now) return;
  const version = { name, saved: new Date().toISOString(), job: now.job, guide: now.guide };
  unsaved = [...unsaved.filter((one) => one.name !== name), version];
  put({ ...now, versions: [...now.versions.filter((one) => one.name !== name), version] });
}

export function restoreVersion(name: string): void {
  const found = document_.value?.versions.find((one) => one.name === name);
  if (found) edit("edit.version", { guide: found.guide, job: { ...cleared(), ...found.job } });
}

/** What a version takes back where it says nothing of it. */
function cleared(): NonNullable<Edit["job"]> {
  return Object.fromEntries(Object.keys(job.value).map((name) => [name, undefined]));
}

export function dropVersion(name: string): void {
  const now = document_.value;
  unsaved = unsaved.filter((one) => one.name !== name);
  if (now) put({ ...now, versions: now.versions.filter((one) => one.name !== name) });
}

// --- saving

const SAVE_AFTER_MS = 250;
/** From a save that no server answered to the next try. */
const TRY_AGAIN_MS = 5000;
let timer = 0;
/** Of the document as the server has it. */
export const revision = signal(0);
let isDirty = false;
let inFlight: Promise<void> | null = null;
/** Marks of what was sent and not answered since the last answer: the server may have it all the same. */
const unanswered = new Set<string>();
/** Counts beginnings and ends of saves: an answer that was asked for before one may be of before it. */
let saves = 0;
/** Questions how far the server is, and the last of them that was answered. */
let asked = 0;
let answered = 0;
/** Digest of the document as the server had it last, and its job. */
let stood = "";
let stoodJob: Job = {};
/** Versions that no save has told the server of yet. */
let unsaved: Document["versions"] = [];

function put(to: Document): void {
  document_.value = to;
  isDirty = true;
  saving.value = "saving";
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void save(), SAVE_AFTER_MS);
}

/** Save now what is not saved yet. */
export async function save(): Promise<void> {
  window.clearTimeout(timer);
  while (inFlight) await inFlight;
  const [open, now] = [project.value, document_.value];
  if (!isDirty || !open || !now) return;
  isDirty = false;
  inFlight = write(open.id, now);
  try {
    await inFlight;
  } finally {
    inFlight = null;
  }
  if (isDirty && saving.value !== "failed") await save();
}

/** Save now; whether nothing stands here alone. */
export async function isSaved(): Promise<boolean> {
  await save();
  return saving.value !== "failed";
}

/** What the server has in the place of what was to be saved. */
interface Overtaken {
  document: Document;
  revision: number;
  /** Of the last save, unless another program wrote the file. */
  mark: string | null;
  digest: string;
}

async function write(id: string, now: Document): Promise<void> {
  saves++;
  const mark = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
  try {
    const done = await api.save(id, revision.value, now, mark).finally(() => saves++);
    revision.value = done.revision;
    stood = done.digest;
    stoodJob = now.job;
    unanswered.clear();
    unsaved = unsaved.filter((one) => !now.versions.includes(one));
    if (done.restarted) {
      startAnew();
      await refresh();
    }
    saving.value = isDirty ? "saving" : "saved";
  } catch (error) {
    if (error instanceof ApiError && error.refusal.key === "server.revision") {
      const { document: theirs, revision: at, mark: last, digest } = error.refusal.values as unknown as Overtaken;
      // It is one's own, whose answer was lost; or the clip was closed and opened again as it stood.
      if ((last !== null && unanswered.has(last)) || digest === stood) {
        revision.value = at;
        stood = digest;
        stoodJob = theirs.job;
        isDirty = true;
        saving.value = "saving";
      } else {
        adopt(theirs, at, digest);
        tell(t("tabs.taken"));
      }
      unanswered.clear();
    } else {
      isDirty = true; // to be tried again
      const isTold = saving.value === "failed";
      saving.value = "failed";
      if (error instanceof ApiError && error.status === 0) {
        unanswered.add(mark);
        window.clearTimeout(timer);
        timer = window.setTimeout(() => void save(), TRY_AGAIN_MS);
        if (isTold) return;
      }
      complain(error);
    }
  }
}

/** Take what another tab has saved; one's own stands a step back, and one's own new versions beside theirs. */
function adopt(theirs: Document, at: number, digest: string): void {
  const mine = document_.value;
  if (mine) past.value = [...past.value, { label: "edit.tab", job: mine.job, guide: mine.guide }];
  future.value = [];
  revision.value = at;
  isDirty = false;
  saving.value = "saved";
  stood = digest;
  stoodJob = theirs.job;
  document_.value = theirs;
  const own = unsaved.filter((one) => theirs.versions.every(({ name }) => name !== one.name));
  if (own.length > 0) put({ ...theirs, versions: [...theirs.versions, ...own] });
}

// --- opening and closing

/** Open a clip and show it; whether it is: not where the one that is shown has to stay. */
export async function open(what: Opening): Promise<boolean> {
  if (!(await close())) return false;
  await take(await api.open(what));
  await refresh().catch(complain); // what was told before the answer came went to nobody
  return true;
}

/** Show a clip that the server has open already. */
export async function reopen(id: string): Promise<void> {
  await take(await api.project(id));
}

async function take(found: Project): Promise<void> {
  past.value = [];
  future.value = [];
  revision.value = found.revision;
  isDirty = false;
  unsaved = [];
  unanswered.clear();
  saving.value = "saved";
  currentObject.value = 1;
  stood = found.digest;
  stoodJob = found.document.job;
  document_.value = found.document;
  project.value = found;
  location.hash = `project=${found.id}`;
}

/** Open the clip that is shown on a server that was begun anew and knows nothing of it; what stands here alone is kept. */
export async function openAgain(): Promise<void> {
  const open = project.value;
  if (!open?.place) return; // what was sent to a server went with it
  const found = await again(open.place, stoodJob);
  if (project.value?.id !== open.id) return;
  unanswered.clear();
  project.value = found;
  restarts.value++;
  if (found.digest === stood) {
    revision.value = found.revision;
    return;
  }
  const isLost = isDirty;
  adopt(found.document, found.revision, found.digest);
  if (isLost) tell(t("tabs.taken"));
}

/** A clip by its project's file; by what it is made of where nothing of it was ever saved. */
async function again(file: string, job: Job): Promise<Project> {
  try {
    return await api.open({ project: file });
  } catch (error) {
    const { composite, foreground, masks = [] } = job;
    if (!(error instanceof ApiError) || error.refusal.key !== "server.no-file" || !composite) throw error;
    const folder = file.slice(0, file.lastIndexOf("/") + 1);
    const from = (path: string): string => (path.startsWith("upload:") ? path : folder + path);
    const brought = { masks: masks.map(from) };
    if (foreground === undefined) return api.open({ composite: from(composite), ...brought });
    return api.open({ background: from(composite), foreground: from(foreground), ...brought });
  }
}

/** Leave the clip, unless something of it stands here alone; the server keeps it open for other tabs. */
export async function close(): Promise<boolean> {
  if (!(await isSaved())) {
    tell(t("close.unsaved"), "problem"); // why not has been told
    return false;
  }
  project.value = null;
  document_.value = null;
  if (location.hash) history.replaceState(null, "", location.pathname);
  return true;
}

/** Counts up when the server reads the clip anew: what was fetched of it is of another picture. */
export const restarts = signal(0);

/** The clip is being opened anew: nothing of it is known before that is done. */
export function startAnew(): void {
  if (!project.value) return;
  project.value = { ...project.value, state: "opening", frames: null };
  restarts.value++;
}

/** Fetch anew how far the server is. */
export async function refresh(): Promise<void> {
  const open = project.value;
  if (!open) return;
  const [number, savesBefore] = [++asked, saves];
  const found = await api.project(open.id);
  if (project.value?.id !== found.id || number < answered) return;
  if (saves !== savesBefore) return refresh();
  answered = number;
  if (found.revision !== revision.value && !isDirty && !inFlight) {
    if (JSON.stringify(found.document) !== JSON.stringify(document_.value)) {
      if (document_.value) adopt(found.document, found.revision, found.digest);
      else document_.value = found.document;
    }
    revision.value = found.revision;
    stood = found.digest;
    stoodJob = found.document.job;
  }
  const before = project.value;
  const isMissed = before.state !== "opening" && before.openings !== found.openings;
  project.value = found;
  if (isMissed) restarts.value++; // it was opened anew, and nobody heard of it
}

/** Another tab saved. */
export async function hearOfRevision(id: string, at: number): Promise<void> {
  if (project.value?.id === id && at > revision.value && !inFlight && !isDirty) await refresh();
}

effect(() => {
  document.title = project.value ? `${project.value.name} · vhmae` : "vhmae";
});

window.addEventListener("beforeunload", (event) => {
  if (isDirty || inFlight) {
    void save();
    event.preventDefault();
  }
});
