/** Fades to white and black: how much of its shot a frame still shows. `vhmae.engine.fading`. */

import { FLASH_FRAMES } from "./cuts";

const DARK_END = 0.02;
const LIGHT_END = 0.98;
const TOWARDS = 0.6;
const WHITE_FROM = 0.8;
const BLACK_FROM = 0.25;
const LOST = 0.05;
const FADED_IN = 0.3;

interface Ends {
  dark: number;
  light: number;
}

/** Sees the frames of a stream as they come, and tells of each as it is released. */
export class Fading {
  /** Of frames that wait, and of a few before them. */
  private frames: { shot: number; index: number; ends: Ends }[] = [];
  /** The ends of each shot's frame of most contrast, so far. */
  private readonly widest = new Map<number, Ends>();
  /** The number of each shot's first frame. */
  private readonly first = new Map<number, number>();
  private hasEnded = false;

  /** No frame comes after those that were seen. */
  end(): void {
    this.hasEnded = true;
  }

  /** Take the next frame's thumbnail, RGB in [0, 1]. */
  see(shot: number, index: number, thumbnail: Float32Array): void {
    const sorted = thumbnail.slice().sort();
    const ends = { dark: percentile(sorted, DARK_END), light: percentile(sorted, LIGHT_END) };
    this.frames.push({ shot, index, ends });
    if (!this.first.has(shot)) this.first.set(shot, index);
    const widest = this.widest.get(shot);
    if (!widest || contrast(ends) > contrast(widest)) this.widest.set(shot, ends);
  }

  /** How much of its shot a frame shows, in [0, 1]; frames are asked for in order. */
  shown(shot: number, index: number): number {
    while (this.frames.length > 0 && this.frames[0]!.index < index - FLASH_FRAMES) {
      const gone = this.frames.shift()!.shot;
      if (gone !== shot && this.frames.every((one) => one.shot !== gone)) {
        this.widest.delete(gone);
        this.first.delete(gone);
      }
    }
    const near = new Map<number, number>();
    for (const { shot: of, index: number, ends } of this.frames) {
      if (of === shot && number <= index + FLASH_FRAMES) near.set(number - index, this.share(shot, ends));
    }
    const here = near.get(0);
    if (here === undefined) return 1;
    if (here < LOST) return here;
    const before = [...near].filter(([place]) => place <= 0).map(([, share]) => share);
    const behind = [...near].filter(([place]) => place >= 0).map(([, share]) => share);
    if (index - this.first.get(shot)! < FLASH_FRAMES && before[0]! > FADED_IN) return 1;
    // Of what is on both sides of a flash, all is shown.
    const isKnown = this.hasEnded || this.frames.at(-1)!.index >= index + FLASH_FRAMES;
    return isKnown ? Math.min(Math.max(...before), Math.max(...behind)) : Math.max(...before);
  }

  private share(shot: number, ends: Ends): number {
    const widest = this.widest.get(shot)!;
    const whole = contrast(widest);
    const left = whole > 0 ? contrast(ends) / whole : 1;
    const rise = (1 - left) * (1 - widest.dark);
    const fall = (1 - left) * widest.light;
    if (left < WHITE_FROM && ends.dark - widest.dark >= TOWARDS * rise) return left / WHITE_FROM;
    if (left < BLACK_FROM && widest.light - ends.light >= TOWARDS * fall) return left / BLACK_FROM;
    return 1;
  }
}

const contrast = (ends: Ends): number => ends.light - ends.dark;

function percentile(sorted: Float32Array, share: number): number {
  const place = share * (sorted.length - 1);
  const lower = Math.floor(place);
  const upper = Math.min(lower + 1, sorted.length - 1);
  return sorted[lower]! + (place - lower) * (sorted[upper]! - sorted[lower]!);
}
