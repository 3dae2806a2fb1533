/** Files on their way in: of the folder, or dropped and found there, or sent. */

import { computed, signal } from "@preact/signals";
import { ApiError, api } from "../api";
import { t } from "../text";
import type { Entry, Listing, Opening } from "../types";
import { open } from "./project";
import { complain, session, tell } from "./session";

export type Way = "composite" | "layers";
export type Slot = "composite" | "mask" | "background" | "foreground" | "layerMask";

export interface Brought {
  path: string;
  name: string;
}

export const way = signal<Way>("composite");
export const slots = signal<Partial<Record<Slot, Brought[]>>>({});
/** The slot that the next file goes to. */
export const currentSlot = signal<Slot>("composite");
/** Whether a person chose that slot: then a file goes there, whatever its name. */
let isMeant = false;
export const listing = signal<Listing | null>(null);
export const isOpening = signal(false);

export const SLOTS: Record<Way, readonly Slot[]> = {
  composite: ["composite", "mask"],
  layers: ["background", "foreground", "layerMask"],
};
const MASKLIKE = /(^|[^a-z])(mask|matte|alpha|roto|maske)s?([^a-z]|$)/i;

export const canOpen = computed(() => {
  const now = slots.value;
  return way.value === "composite"
    ? Boolean(now.composite?.length)
    : Boolean(now.background?.length && now.foreground?.length);
});

export async function browse(path: string): Promise<void> {
  try {
    listing.value = await api.files(path);
  } catch (error) {
    complain(error);
  }
}

export function setWay(to: Way): void {
  way.value = to;
  currentSlot.value = firstFree();
}

const firstFree = (): Slot => {
  const names = SLOTS[way.value];
  return names.find((name) => !slots.value[name]?.length) ?? names[0]!;
};

/** Say where the next file goes. */
export function aimAt(slot: Slot): void {
  currentSlot.value = slot;
  isMeant = true;
}

/** Put a file where it belongs: a mask by its name, else where the next one is wanted. */
export function bring(file: Brought): void {
  const isMask = MASKLIKE.test(file.name) || file.name.endsWith(".npz");
  const maskSlot: Slot = way.value === "composite" ? "mask" : "layerMask";
  const to = isMask && !isMeant ? maskSlot : currentSlot.value;
  isMeant = false;
  const before = slots.value[to] ?? [];
  const isSeveral = to === "mask";
  const files = isSeveral ? [...before.filter((one) => one.path !== file.path), file] : [file];
  slots.value = { ...slots.value, [to]: files };
  giveBack(before.filter((one) => !files.some((kept) => kept.path === one.path)));
  currentSlot.value = firstFree();
}

export function takeOut(slot: Slot, path: string): void {
  const before = slots.value[slot] ?? [];
  slots.value = { ...slots.value, [slot]: before.filter((one) => one.path !== path) };
  currentSlot.value = slot;
  giveBack(before.filter((one) => one.path === path));
}

const UPLOAD = "upload:";

const forget = (upload: string): void =>
  void api.dropUpload(upload).catch(() => undefined); // it goes with the run anyway

/** Have the server drop what was sent and is wanted no more: what it keeps of these is limited. */
function giveBack(files: readonly Brought[]): void {
  for (const { path } of files) {
    if (path.startsWith(UPLOAD)) forget(path.slice(UPLOAD.length));
  }
}

export function choose(entry: Entry): void {
  if (entry.kind === "folder") void browse(entry.path);
  else if (entry.kind === "project") void start({ project: entry.path });
  else bring({ path: entry.path, name: entry.name });
}

/** Open what was brought. What was not is not told, lest it take the place of what was saved. */
export async function startBrought(): Promise<void> {
  const now = slots.value;
  const masks = (slot: Slot): { masks?: string[] } =>
    now[slot]?.length ? { masks: now[slot].map((one) => one.path) } : {};
  if (way.value === "composite") {
    await start({ composite: now.composite![0]!.path, ...masks("mask") });
  } else {
    const [background, foreground] = [now.background![0]!.path, now.foreground![0]!.path];
    await start({ background, foreground, ...masks("layerMask") });
  }
}

export async function start(what: Opening): Promise<void> {
  if (isOpening.value) return;
  isOpening.value = true;
  try {
    if (!(await open(what))) return;
    const used = new Set<unknown>(Object.values(what).flat());
    giveBack(Object.values(slots.value).flat().filter((one) => !used.has(one.path)));
    slots.value = {};
    currentSlot.value = SLOTS[way.value][0]!;
  } catch (error) {
    complain(error);
  } finally {
    isOpening.value = false;
  }
}

// --- dropped files

export interface Sending {
  name: string;
  sent: number;
  total: number;
  control: AbortController;
}
export const sending = signal<Sending[]>([]);

const HEAD_BYTES = 1_048_576;

async function digest(head: ArrayBuffer): Promise<string | null> {
  if (!globalThis.crypto?.subtle) return null; // pages of other machines without https have none
  const found = await crypto.subtle.digest("SHA-256", head);
  return Array.from(new Uint8Array(found), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A file was dropped: it is found in the folder, else sent. */
export async function drop(file: File): Promise<void> {
  try {
    const head = await digest(await file.slice(0, HEAD_BYTES).arrayBuffer());
    const known = head ? (await api.find(file.name, file.size, head)).path : null;
    if (known) {
      bring({ path: known, name: file.name });
      tell(t("bring.found", { name: known }));
      return;
    }
    bring({ path: await send(file), name: file.name });
  } catch (error) {
    complain(error);
  }
}

async function send(file: File): Promise<string> {
  const most = session.value?.limits?.upload_bytes;
  if (most !== undefined && file.size > most) {
    throw new ApiError(413, { detail: "", key: "bring.too-large", values: { name: file.name } });
  }
  const { upload, chunk_bytes: chunk } = await api.beginUpload(file.name, file.size);
  const control = new AbortController();
  const row: Sending = { name: file.name, sent: 0, total: file.size, control };
  sending.value = [...sending.value, row];
  const told = (sent: number): void => {
    sending.value = sending.value.map((one) => (one.control === control ? { ...one, sent } : one));
  };
  try {
    let sent = 0;
    for (;;) {
      const part = file.slice(sent, sent + chunk);
      const done = await sendPart(upload, sent, part, control.signal);
      sent = done.received;
      told(sent);
      if (done.path) return done.path;
    }
  } catch (error) {
    forget(upload);
    throw error;
  } finally {
    sending.value = sending.value.filter((one) => one.control !== control);
  }
}

const TRIES = 4;
const WAIT_MS = 1000;

/** Send a piece; a line that breaks, or is slow, is tried again after a while. */
async function sendPart(upload: string, offset: number, part: Blob, signal: AbortSignal, tries = TRIES) {
  try {
    return await api.sendChunk(upload, offset, part, signal);
  } catch (error) {
    const isPassing = !(error instanceof ApiError) || error.status === 0 || error.status === 408 || error.status >= 500;
    if (isPassing && tries > 1 && !signal.aborted) {
      await new Promise((resolve) => window.setTimeout(resolve, WAIT_MS * (TRIES + 1 - tries)));
      return sendPart(upload, offset, part, signal, tries - 1);
    }
    const received = error instanceof ApiError && error.status === 409 && error.refusal.values.received;
    if (typeof received === "number" && received !== offset) return { received, path: null };
    throw error;
  }
}
