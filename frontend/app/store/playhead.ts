/** Which frame is shown, and playing: J, K and L, scrubbing, stepping. */

import { batch, computed, effect, signal, untracked } from "@preact/signals";
import { clip } from "../../src/index";
import { api } from "../api";
import { mapsOf, mapsVersion, type FrameMaps } from "./maps";
import { parsePlayed, pictureOf, quickPictureOf, unpacked, type Packed, type Picture } from "./pictures";
import { isOpen, parts, project, projectId, shots } from "./project";
import { complain } from "./session";

export const frame = signal(0);
/** Frames a frame time: 0 stands, 1 plays, -2 plays backwards twice as fast. */
export const speed = signal(0);
export const isScrubbing = signal(false);
/** What the canvas shows, with its maps. */
export interface Shown extends Picture {
  maps: FrameMaps;
}
export const shown = signal<Shown | null>(null);
export const isLoading = signal(false);
/** Frames a second that were shown while playing. */
export const playedRate = signal(0);
/** Canvas pixels to one of the full picture, as the viewer draws it. */
export const drawnScale = signal(0.5);

export const lastFrame = computed(() => Math.max(0, (project.value?.frames ?? 1) - 1));
export const shot = computed(() => shown.value?.maps.shot ?? shotAt(frame.value));

/** The shot of a frame, as far as it is known. */
export function shotAt(at: number): number {
  return shots.value.find((row) => at >= row.first && at <= row.last)?.shot ?? 0;
}

/** Go to a frame. */
export function seek(to: number): void {
  frame.value = clip(Math.round(to), 0, lastFrame.value);
}

export function pause(): void {
  speed.value = 0;
}

export function togglePlay(): void {
  if (speed.value) return pause();
  if (frame.value >= lastFrame.value) frame.value = 0;
  speed.value = 1;
}

/** J and L: the other way, or twice as fast. */
export function shuttle(direction: 1 | -1): void {
  const now = speed.value;
  speed.value = Math.sign(now) === direction ? clip(now * 2, -8, 8) : direction;
}

export function stepBy(frames: number): void {
  pause();
  seek(frame.value + frames);
}

// --- showing the frame that stands

let loading: AbortController | null = null;

/** Another clip begins at its first frame, and shows nothing of the one before. */
effect(() => {
  void projectId.value;
  loading?.abort();
  batch(() => {
    speed.value = 0;
    frame.value = 0;
    shown.value = null;
    isScrubbing.value = false;
    isLoading.value = false;
  });
});

/** Read anew, a clip may be shorter. */
effect(() => {
  const last = lastFrame.value;
  if (isOpen.value && untracked(() => frame.value > last)) seek(last);
});

const STANDS_MS = 180;

/** Show a frame: at once what is quick, then what is exact, the whole of it if it is seen. */
async function show(at: number, id: string): Promise<void> {
  loading?.abort();
  const control = (loading = new AbortController());
  const { signal } = control;
  const maps = mapsOf(id);
  const which = untracked(() => parts.value);
  isLoading.value = true;
  const put = async (coming: Promise<Picture>): Promise<void> => {
    const [picture, found] = await Promise.all([coming, maps.need(at, signal)]);
    if (!signal.aborted) shown.value = { ...picture, maps: found };
  };
  try {
    const wait = untracked(() => isScrubbing.value);
    if (wait || shown.value?.frame !== at) {
      await put(quickPictureOf(id, at, which, signal));
    }
    void maps.prefetch(at, lastFrame.value + 1);
    await rest(wait ? STANDS_MS : 30, signal);
    await put(pictureOf(id, at, which, wantsFull() ? "full" : "preview", "exact", signal));
  } catch (error) {
    if (!signal.aborted) complain(error);
  } finally {
    if (loading === control) isLoading.value = false;
  }
}

/** Whether more pixels are seen than a preview has. */
function wantsFull(): boolean {
  const open = project.value;
  if (!open?.preview || !open.width) return false;
  const previewScale = open.preview.width / open.width;
  return previewScale < 1 && drawnScale.value > previewScale * 1.02;
}

/** Wait, but no longer than the time line is held. */
const rest = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const done = (): void => {
      window.clearTimeout(timer);
      released();
      resolve();
    };
    const timer = window.setTimeout(done, ms);
    const wasHeld = isScrubbing.peek();
    const released = isScrubbing.subscribe((isHeld) => {
      if (wasHeld && !isHeld) queueMicrotask(done);
    });
    signal.addEventListener("abort", () => {
      window.clearTimeout(timer);
      released();
      reject(new DOMException("given up", "AbortError"));
    });
  });

/** Sharpen what is shown, once it is looked at closer than a preview holds. */
effect(() => {
  const scale = drawnScale.value;
  const now = untracked(() => shown.value);
  if (scale && now?.exact && now.size === "preview" && untracked(wantsFull)) {
    untracked(() => refreshShown());
  }
});

export function refreshShown(): void {
  const open = project.value;
  if (open && !speed.value) void show(frame.value, open.id);
}

effect(() => {
  const id = projectId.value;
  const at = frame.value;
  if (!id || !isOpen.value || speed.value) return;
  untracked(() => void show(at, id));
});

/** Better maps of the frame that is shown take the place of what it had. */
effect(() => {
  void mapsVersion.value;
  const id = projectId.value;
  untracked(() => {
    const now = shown.value;
    const better = id && now ? mapsOf(id).at(now.frame) : undefined;
    if (now && better && better !== now.maps) shown.value = { ...now, maps: better };
  });
});

// --- playing

/** Frames that are sent ahead, and how many in one answer. */
const AHEAD = 24;
const AT_ONCE = 8;
/** Frames that are decoded ahead of the one that is due: a browser that is slow decodes no more
 * than it shows. */
const DECODED = 3;

class Player {
  private readonly packed = new Map<number, Packed>();
  private readonly ready = new Map<number, Shown>();
  private readonly asked = new Set<number>();
  private readonly decoding = new Set<number>();
  private readonly control = new AbortController();
  private readonly direction: number;
  /** As many frames are left out as cannot be shown at that speed. */
  private readonly stride: number;
  private begun = performance.now();
  private from: number;
  private drawn: number[] = [];
  /** The last frame that was given to be decoded. */
  private planned: number | null = null;

  constructor(
    private readonly id: string,
    private readonly parts: readonly number[],
    private readonly fps: number,
    private readonly pace: number,
  ) {
    this.from = frame.value;
    this.direction = Math.sign(pace);
    this.stride = Math.max(1, Math.round((Math.abs(pace) * fps) / 30));
    this.tick();
  }

  stop(): void {
    this.control.abort();
  }

  private tick = (): void => {
    if (this.control.signal.aborted) return;
    const now = performance.now();
    const due = this.from + Math.trunc(((now - this.begun) / 1000) * this.fps * this.pace);
    const next = this.latest(due);
    if (next !== null) this.draw(next, now);
    this.fetch();
    this.decode(due);
    if ((this.pace > 0 && frame.value >= lastFrame.value) || (this.pace < 0 && frame.value <= 0)) {
      pause();
      return;
    }
    // Where pictures come late, time waits for them: nothing is skipped by more than a second.
    if (Math.abs(due - frame.value) > this.fps) this.restart(now);
    requestAnimationFrame(this.tick);
  };

  private restart(now: number): void {
    this.begun = now;
    this.from = frame.value;
  }

  private isAfter(at: number, other: number): boolean {
    return this.direction * (at - other) > 0;
  }

  /** The frame nearest to the one that is due among those that are there. */
  private latest(due: number): number | null {
    let best: number | null = null;
    for (const at of this.ready.keys()) {
      const isComing = this.isAfter(at, frame.value) && !this.isAfter(at, due);
      if (isComing && (best === null || this.isAfter(at, best))) best = at;
    }
    return best;
  }

  private draw(at: number, now: number): void {
    const picture = this.ready.get(at)!;
    batch(() => {
      frame.value = at;
      shown.value = picture;
    });
    for (const one of [this.ready, this.packed])
      for (const old of one.keys()) if (!this.isAfter(old, at)) one.delete(old);
    this.drawn = [...this.drawn.filter((then) => now - then < 1000), now];
    playedRate.value = this.drawn.length;
  }

  /** The frames that come after one, as far as they are sent ahead. */
  private coming(): number[] {
    const found: number[] = [];
    for (let i = 1; i <= AHEAD; i++) {
      const at = frame.value + this.direction * i * this.stride;
      if (at < 0 || at > lastFrame.value) break;
      found.push(at);
    }
    return found;
  }

  private fetch(): void {
    const coming = this.coming();
    const missing = coming.filter((at) => !this.packed.has(at) && !this.asked.has(at) && !this.ready.has(at));
    const isLast = coming.length < AHEAD;
    if (this.asked.size > 0 || missing.length === 0 || (missing.length < AT_ONCE && !isLast)) return;
    void this.load(missing.slice(0, AT_ONCE));
  }

  private async load(wanted: number[]): Promise<void> {
    wanted.forEach((at) => this.asked.add(at));
    const { signal } = this.control;
    try {
      void mapsOf(this.id).prefetch(wanted.at(-1)!, lastFrame.value + 1);
      const buffer = await api.played(this.id, wanted[0]!, wanted.length, this.direction * this.stride, signal);
      const found = parsePlayed(buffer);
      for (const at of wanted) this.packed.set(at, found.get(at) ?? []);
    } catch (error) {
      this.fail(error);
    } finally {
      wanted.forEach((at) => this.asked.delete(at));
    }
  }

  /** Frames from one that is drawn to the next, as fast as drawing has been lately. */
  private get gap(): number {
    const times = this.drawn;
    if (times.length < 4) return this.stride;
    const seconds = (times.at(-1)! - times[0]!) / (times.length - 1) / 1000;
    return Math.max(this.stride, Math.floor(seconds * this.fps * Math.abs(this.pace) - 0.25));
  }

  /** Decode what comes next; what is late already, or would be, is left out. */
  private decode(due: number): void {
    const { gap } = this;
    const end = this.direction > 0 ? lastFrame.value : 0;
    for (const at of this.coming()) {
      const isLate = this.isAfter(due, at) && this.packed.has(due + this.direction);
      const isClose = this.planned !== null && this.direction * (at - this.planned) < gap;
      if (at !== end && (isLate || isClose)) continue;
      if (this.ready.has(at) || this.decoding.has(at)) continue;
      if (this.decoding.size + this.ready.size >= DECODED) return;
      const packed = this.packed.get(at);
      if (!packed) return;
      this.planned = at;
      void this.unpack(at, packed);
    }
  }

  private async unpack(at: number, packed: Packed): Promise<void> {
    this.decoding.add(at);
    const { signal } = this.control;
    try {
      const [picture, maps] = await Promise.all([
        packed.length > 0
          ? unpacked(this.id, at, this.parts, packed)
          : pictureOf(this.id, at, this.parts, "preview", "fast", signal),
        mapsOf(this.id).need(at, signal),
      ]);
      this.ready.set(at, { ...picture, maps });
    } catch (error) {
      this.fail(error);
    } finally {
      this.decoding.delete(at);
    }
  }

  private fail(error: unknown): void {
    if (this.control.signal.aborted) return;
    complain(error);
    pause();
  }
}

effect(() => {
  const id = projectId.value;
  const pace = speed.value;
  if (!id || !pace) return;
  const player = untracked(
    () => new Player(id, parts.value, project.value?.fps ?? 25, pace),
  );
  return () => player.stop();
});
