/**
 * A stream of frames: which are key frames, when the network is asked, and what holds for each
 * frame. `vhmae.engine.harmonizer` with color maps, disjoint windows and full lookahead.
 */

import type { Maps } from "../../../frontend/src/index";
import { CutDetector, THUMBNAIL } from "./cuts";
import { Fading } from "./fading";
import { showsBackground, showsForeground, smallMask, thumbnailOf, type Frame } from "./sight";
import { SMOOTHING_FRAMES, isPast, smoothed, type Estimate } from "./smoothing";

/** Frames from one key frame to the next. */
export const STRIDES = { fast: 12, balanced: 6 } as const;
export type Quality = keyof typeof STRIDES;
/** Frames over which what was not known at once takes hold. */
const BLENDED_FRAMES = 25;

/** What the network says of a window. */
export interface Answer {
  /** (30,): the residual map of the whole foreground. */
  overall: Float32Array;
  /** One (rows, columns, 3, 4) a frame. */
  local: Float32Array[];
  rows: number;
  columns: number;
  /** Mean squared change inside the mask, colors in [0, 1]. */
  squared: number;
}

/** What answers windows, and what it is like. */
export interface Network {
  /** Key frames of a window. */
  clipFrames: number;
  imageSize: number;
  /** Half of a change this small, in levels, is left undone. */
  caution: number;
  /**
   * @param frames (T, S, S, 3) in [0, 1].
   * @param masks (T, S, S) of 0 and 1.
   */
  ask(frames: Float32Array, masks: Uint8Array): Promise<Answer>;
}

interface KeyFrame {
  index: number;
  picture: Float32Array;
  mask: Uint8Array;
}

/** A frame that is ready. */
export interface Released {
  index: number;
  shot: number;
  /** How much of the change is made, by how much the frame shows of its shot. */
  shown: number;
  /** What it is averaged over; null where nothing is to be done, or nothing could be read. */
  estimates: readonly Estimate[] | null;
}

export class Stream {
  readonly stride: number;
  readonly latency: number;
  private readonly windowFrames: number;
  private readonly cuts = new CutDetector();
  private readonly fading = new Fading();
  private shot = 0;
  private index = 0;
  private lastKey: number | null = null;
  private waiting: KeyFrame[] = [];
  private estimates: Estimate[] = [];
  private pending: { shot: number; index: number; foreground: boolean }[] = [];
  private unreadLast = { shot: -1, index: -1 };
  /** How many frames show the foreground, and how many of these the background, too. */
  readonly seen = { foreground: 0, both: 0 };
  /** Frames of shots that had shown no background in time: they stay untouched. */
  unread = 0;

  constructor(
    private readonly network: Network,
    quality: Quality = "balanced",
  ) {
    this.stride = STRIDES[quality];
    this.windowFrames = this.stride * network.clipFrames;
    this.latency = this.windowFrames + SMOOTHING_FRAMES;
  }

  /** Take the next frame; gives those that are ready, at most one. */
  async push(frame: Frame): Promise<Released[]> {
    const small = thumbnailOf(frame.picture, ...THUMBNAIL);
    const { cuts, index } = this;
    if (cuts.step(small)) {
      await this.runWindow();
      this.shot++;
      this.lastKey = null;
    }
    if (cuts.beganLit) {
      this.waiting = []; // key frames of the flash say little of the shot
      this.lastKey = null;
    }
    this.fading.see(this.shot, index, small);
    const foreground = showsForeground(frame);
    const background = foreground && showsBackground(frame);
    // A frame that cannot be a key frame leaves that to the next one.
    if (background && !cuts.blinded && (this.lastKey === null || index - this.lastKey >= this.stride)) {
      this.lastKey = index;
      const size = this.network.imageSize;
      this.waiting.push({
        index,
        picture: thumbnailOf(frame.picture, size, size),
        mask: smallMask(frame, size),
      });
      if (this.waiting.length === this.network.clipFrames) await this.runWindow();
    }
    this.seen.foreground += Number(foreground);
    this.seen.both += Number(background);
    this.pending.push({ shot: this.shot, index, foreground });
    this.index++;
    if (this.index - this.pending[0]!.index <= this.latency) return [];
    return [await this.release()];
  }

  /** Everything that waits, at the end of the stream. */
  async drain(): Promise<Released[]> {
    await this.runWindow();
    this.fading.end();
    const out: Released[] = [];
    while (this.pending.length > 0) out.push(await this.release());
    return out;
  }

  /** The maps of a frame, without guide and strength. */
  mapsOf(released: Released): Maps | null {
    if (!released.estimates) return null;
    const reach = this.latency - this.windowFrames + this.stride;
    return smoothed(released.estimates, released.index, this.windowFrames, reach);
  }

  /** Ask for all key frames that wait; the last is repeated where the window is not full. */
  private async runWindow(): Promise<void> {
    const window = this.waiting;
    this.waiting = [];
    if (window.length === 0) return;
    const { clipFrames, imageSize, caution } = this.network;
    const frames = new Float32Array(clipFrames * 3 * imageSize ** 2);
    const masks = new Uint8Array(clipFrames * imageSize ** 2);
    for (let i = 0; i < clipFrames; i++) {
      const one = window[Math.min(i, window.length - 1)]!;
      frames.set(one.picture, i * one.picture.length);
      masks.set(one.mask, i * one.mask.length);
    }
    const answer = await this.network.ask(frames, masks);
    const share = shareKept(answer.squared, caution);
    const overall = Float64Array.from(answer.overall, (value) => Math.fround(value * share));
    window.forEach(({ index }, i) => {
      const local = answer.local[i]!.map((value) => value * share);
      const maps = { overall, local, rows: answer.rows, columns: answer.columns };
      this.estimates.push({ shot: this.shot, index, maps });
    });
  }

  private async release(): Promise<Released> {
    const { shot, index, foreground } = this.pending.shift()!;
    const seen = this.fading.shown(shot, index);
    // What lies far enough behind is not asked for again.
    while (this.estimates.length > 0 && (this.estimates[0]!.shot < shot || isPast(this.estimates, index)))
      this.estimates.shift();
    const nothing = { index, shot, shown: seen, estimates: null };
    if (!foreground) return nothing;
    const of = (): Estimate[] => this.estimates.filter((one) => one.shot === shot);
    let estimates = of();
    if (estimates.length === 0 && shot === this.shot) {
      await this.runWindow();
      estimates = of();
    }
    if (estimates.length === 0) {
      this.unread++;
      this.unreadLast = { shot, index };
      return nothing;
    }
    // What can be read only after frames of its shot have left untouched makes no step.
    const late = this.unreadLast.shot === shot ? index - this.unreadLast.index : BLENDED_FRAMES;
    return { index, shot, shown: seen * Math.min(1, late / BLENDED_FRAMES), estimates };
  }
}

/** How much of a change is made: nearly all of a strong one, little of a weak one. */
export function shareKept(squared: number, caution: number): number {
  const levels = squared * 255 ** 2;
  return levels + caution ** 2 > 0 ? levels / (levels + caution ** 2) : 1;
}
