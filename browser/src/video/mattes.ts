/** Mattes of a clip's frames, one byte a pixel: of a second file, of the clip's alpha, or painted. */

import { LUMA, type Pixels } from "../../../frontend/src/index";
import { Unreadable, type Clip, type ClipFrame } from "./clip";

export const MATTE_KINDS = ["file", "alpha", "brush"] as const;
export type MatteKind = (typeof MATTE_KINDS)[number];

/** A frame of the clip with its matte. */
export interface Masked extends ClipFrame {
  index: number;
  matte: Uint8Array;
}

export interface Mattes {
  /** All frames of the clip with theirs, in order. */
  masked(clip: Clip): AsyncGenerator<Masked>;
  /** A frame of the clip with its own. */
  at(clip: Clip, index: number, timestamp: number): Promise<Masked>;
}

/** Darker pixels are black. */
const NOT_BLACK = 32;
/** A color is vivid that lacks so much of its brightest channel in its weakest. */
const VIVID = 0.5;
/** A still that holds no larger number holds numbers of objects. */
const LARGEST_LABEL = 15;

/**
 * The matte that a frame of a mask is: its alpha where a still has one, all that is no 0 where it numbers objects; its brightest channel
 * where what is not black is vivid, scaled so that the color is white; else its luma. As `vhmae.video.mask_meaning` and `mask_chroma`
 * read them, but for what they read of all frames.
 */
export function matteOf(pixels: Pixels, isStill: boolean): Uint8Array {
  if (isStill && hasAlpha(pixels)) return alphaOf(pixels);
  const { data } = pixels;
  const brightest = new Uint8Array(pixels.width * pixels.height);
  let [seen, vivid, peak] = [0, 0, 0];
  for (let i = 0; i < brightest.length; i++) {
    const [red, green, blue] = [data[4 * i]!, data[4 * i + 1]!, data[4 * i + 2]!];
    const most = Math.max(red, green, blue);
    brightest[i] = most;
    peak = Math.max(peak, most);
    if (most < NOT_BLACK) continue;
    seen++;
    if (most - Math.min(red, green, blue) >= VIVID * most) vivid++;
  }
  if (isStill && peak > 0 && peak <= LARGEST_LABEL) return brightest.map((value) => (value > 0 ? 255 : 0));
  const isColored = seen > 0 && seen < brightest.length && vivid > 0.5 * seen;
  return isColored ? brightest.map((value) => Math.round((255 * value) / peak)) : lumaOf(pixels);
}

function hasAlpha({ data }: Pixels): boolean {
  let [least, most] = [255, 0];
  for (let i = 3; i < data.length; i += 4) [least, most] = [Math.min(least, data[i]!), Math.max(most, data[i]!)];
  return least < most;
}

function lumaOf({ data, width, height }: Pixels): Uint8Array {
  const out = new Uint8Array(width * height);
  for (let i = 0; i < out.length; i++)
    out[i] = Math.round(LUMA[0] * data[4 * i]! + LUMA[1] * data[4 * i + 1]! + LUMA[2] * data[4 * i + 2]!);
  return out;
}

export function alphaOf({ data, width, height }: Pixels): Uint8Array {
  const out = new Uint8Array(width * height);
  for (let i = 0; i < out.length; i++) out[i] = data[4 * i + 3]!;
  return out;
}

/** Mattes of a second file: as many frames as the clip, or one picture for all. */
export class FileMattes implements Mattes {
  /** When the mask's frames are shown, which need not be when the clip's are. */
  private times: number[] = [];

  constructor(private readonly mask: Clip) {}

  async *masked(clip: Clip): AsyncGenerator<Masked> {
    this.check(clip);
    const others = this.mask.frames();
    const times: number[] = [];
    let matte: Uint8Array | null = null;
    let index = 0;
    try {
      for await (const frame of clip.frames()) {
        if (!matte || !this.mask.isStill) {
          const next = await others.next();
          if (next.done) throw new Unreadable("live.mask-short", { name: this.mask.name, frames: index });
          matte = matteOf(next.value.pixels, this.mask.isStill);
          times.push(next.value.timestamp);
        }
        yield { ...frame, index: index++, matte };
      }
      if (!this.mask.isStill && !(await others.next()).done) throw new Unreadable("live.mask-long", { name: this.mask.name, frames: index });
      this.times = times;
    } finally {
      await others.return(undefined);
    }
  }

  async at(clip: Clip, index: number, timestamp: number): Promise<Masked> {
    const time = this.times[index] ?? timestamp;
    const [frame, other] = await Promise.all([clip.at(timestamp), this.mask.at(time)]);
    return { ...frame, index, matte: matteOf(other.pixels, this.mask.isStill) };
  }

  private check(clip: Clip): void {
    const { mask } = this;
    if (mask.width !== clip.width || mask.height !== clip.height) {
      const [size, wanted] = [`${mask.width}×${mask.height}`, `${clip.width}×${clip.height}`];
      throw new Unreadable("live.mask-size", { name: mask.name, size, wanted });
    }
  }
}

/** The clip's own alpha. */
export class AlphaMattes implements Mattes {
  async *masked(clip: Clip): AsyncGenerator<Masked> {
    let index = 0;
    for await (const frame of clip.frames()) yield { ...frame, index: index++, matte: alphaOf(frame.pixels) };
  }

  async at(clip: Clip, index: number, timestamp: number): Promise<Masked> {
    const frame = await clip.at(timestamp);
    return { ...frame, index, matte: alphaOf(frame.pixels) };
  }
}

/** Painted mattes: what is painted on a frame holds from there on, to the next one that is painted. */
export class PaintedMattes implements Mattes {
  private readonly painted = new Map<number, Uint8Array>();

  constructor(private readonly area: number) {}

  get isEmpty(): boolean {
    return ![...this.painted.values()].some((matte) => matte.some((value) => value > 0));
  }

  /** The matte that holds at a frame. */
  of(index: number): Uint8Array {
    const known = [...this.painted.keys()].filter((at) => at <= index);
    return this.painted.get(Math.max(...known)) ?? new Uint8Array(this.area);
  }

  /**
   * Paint a disk, or take one away.
   *
   * @returns the matte of the frame, a new one: it is drawn anew.
   */
  paint(index: number, [x, y]: readonly [number, number], radius: number, width: number, value: 0 | 255): Uint8Array {
    const matte = this.of(index).slice();
    const height = matte.length / width;
    for (let row = Math.max(0, Math.ceil(y - radius)); row <= Math.min(height - 1, y + radius); row++)
      for (let column = Math.max(0, Math.ceil(x - radius)); column <= Math.min(width - 1, x + radius); column++)
        if ((column - x) ** 2 + (row - y) ** 2 <= radius ** 2) matte[row * width + column] = value;
    this.painted.set(index, matte);
    return matte;
  }

  clear(): void {
    this.painted.clear();
  }

  async *masked(clip: Clip): AsyncGenerator<Masked> {
    let index = 0;
    for await (const frame of clip.frames()) yield { ...frame, matte: this.of(index), index: index++ };
  }

  async at(clip: Clip, index: number, timestamp: number): Promise<Masked> {
    return { ...(await clip.at(timestamp)), index, matte: this.of(index) };
  }
}
