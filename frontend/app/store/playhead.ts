/** Which frame is shown, and playing: J, K and L, scrubbing, stepping. */

import { batch, computed, effect, signal, untracked } from "@preact/signals";
import { clip } from "../../src/index";
import { mapsOf, mapsVersion, type FrameMaps } from "./maps";
import { pictureOf, type Picture } from "./pictures";
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
const STANDS_MS = 180;

/** Show a frame: at once what is quick, then what is exact, then the whole of it if it is seen. */
async function show(at: number, id: string): Promise<void> {
  loading?.abort();
  const control = (loading = new AbortController());
  const { signal } = control;
  const maps = mapsOf(id);
  const which = untracked(() => parts.value);
  isLoading.value = true;
  const put = async (size: "preview" | "full", as: "exact" | "fast"): Promise<void> => {
    const [picture, found] = await Promise.all([
      pictureOf(id, at, which, size, as, signal),
      maps.need(at, signal),
    ]);
    if (!signal.aborted) shown.value = { ...picture, maps: found };
  };
  try {
    const wait = untracked(() => isScrubbing.value);
    if (wait || shown.value?.frame !== at) await put("preview", "fast");
    void maps.prefetch(at, lastFrame.value + 1);
    await rest(wait ? STANDS_MS : 30, signal);
    await put("preview", "exact");
    if (wantsFull()) await put("full", "exact");
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

const rest = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = window.setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      window.clearTimeout(timer);
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

const AHEAD = 16;
const AT_ONCE = 4;

class Player {
  private readonly ready = new Map<number, Picture & { maps: FrameMaps }>();
  private readonly asked = new Set<number>();
  private readonly control = new AbortController();
  private begun = performance.now();
  private from: number;
  private drawn: number[] = [];

  constructor(
    private readonly id: string,
    private readonly parts: readonly number[],
    private readonly fps: number,
    private readonly pace: number,
  ) {
    this.from = frame.value;
    this.tick();
  }

  stop(): void {
    this.control.abort();
  }

  private tick = (): void => {
    if (this.control.signal.aborted) return;
    const now = performance.now();
    const due = this.from + Math.trunc(((now - this.begun) / 1000) * this.fps * this.pace);
    this.fetch();
    const next = this.latest(due);
    if (next !== null) this.draw(next, now);
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

  /** The frame nearest to the one that is due among those that are there. */
  private latest(due: number): number | null {
    let best: number | null = null;
    const direction = Math.sign(this.pace);
    for (const at of this.ready.keys()) {
      const isAhead = direction * (at - frame.value) > 0 && direction * (due - at) >= 0;
      if (isAhead && (best === null || direction * (at - best) > 0)) best = at;
    }
    return best;
  }

  private draw(at: number, now: number): void {
    const direction = Math.sign(this.pace);
    const picture = this.ready.get(at)!;
    batch(() => {
      frame.value = at;
      shown.value = picture;
    });
    for (const one of this.ready.keys()) if (direction * (at - one) >= 0) this.ready.delete(one);
    this.drawn = [...this.drawn.filter((then) => now - then < 1000), now];
    playedRate.value = this.drawn.length;
  }

  private fetch(): void {
    const direction = Math.sign(this.pace);
    // As many frames are left out as cannot be shown at that speed.
    const stride = Math.max(1, Math.round((Math.abs(this.pace) * this.fps) / 30));
    for (let i = 1; i <= AHEAD && this.asked.size < AT_ONCE; i++) {
      const at = frame.value + direction * i * stride;
      if (at < 0 || at > lastFrame.value) break;
      if (!this.ready.has(at) && !this.asked.has(at)) void this.load(at);
    }
  }

  private async load(at: number): Promise<void> {
    this.asked.add(at);
    try {
      const maps = mapsOf(this.id);
      const [picture, found] = await Promise.all([
        pictureOf(this.id, at, this.parts, "preview", "fast", this.control.signal),
        maps.prefetch(at, lastFrame.value + 1).then(() => maps.need(at, this.control.signal)),
      ]);
      this.ready.set(at, { ...picture, maps: found });
    } catch (error) {
      if (!this.control.signal.aborted) {
        complain(error);
        pause();
      }
    } finally {
      this.asked.delete(at);
    }
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
