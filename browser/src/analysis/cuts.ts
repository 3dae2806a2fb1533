/**
 * Hard cuts, flashes and fades: `vhmae.video.cuts`.
 *
 * A flash, and a fade to white or black, is no shot of its own. The numbers are those of Python,
 * where their reasons stand.
 */

/** Height and width of the frames that the detector sees. */
export const THUMBNAIL = [36, 64] as const;
/** A flash is over after so many frames. */
export const FLASH_FRAMES = 4;
const COLORS_MOVED = 0.05;
const STRUCTURE_KEPT = 0.8;
const DARKER = 0.02;
const DARKER_SHARE = 0.03;
const PLAIN = 0.004;

interface Look {
  /** Values of each channel from dark to light. */
  colors: Float32Array[];
  /** Mean of the channels, less its own mean. */
  luma: Float32Array;
  pixels: Float32Array;
  /** Whether the frame shows nothing: white, black, or any plain color. */
  isPlain: boolean;
}

export class CutDetector {
  private before: Look | null = null;
  private flash = 0;
  private age = 0;
  /** Whether the last frame is the first after a flash that its shot began with. */
  beganLit = false;

  /** Whether the last frame is of a flash or shows nothing: its colors say little of its shot. */
  get blinded(): boolean {
    return this.flash > 0;
  }

  /** Take the next frame's thumbnail (h, w, 3) in [0, 1]; true if it begins a new shot. */
  step(thumbnail: Float32Array): boolean {
    const now = lookAt(thumbnail);
    const { before } = this;
    this.beganLit = false;
    this.age++;
    if (!before) {
      [this.before, this.flash, this.age] = [now, 0, 0];
      return false;
    }
    if (!differs(before, now)) {
      // Alike in all, the frame before stays: a fade goes on from where it was.
      this.before = now.isPlain && this.flash ? before : now;
      this.flash = now.isPlain ? this.flash : 0;
      return false;
    }
    const lit = isLit(now, before) && !before.isPlain;
    if (this.age <= FLASH_FRAMES && !now.isPlain && !this.flash && isLit(before, now)) {
      [this.before, this.beganLit] = [now, true];
      return false;
    }
    if (now.isPlain && !before.isPlain) {
      this.flash++;
      return false;
    }
    if (lit && this.flash < FLASH_FRAMES) {
      this.flash++;
      return false;
    }
    [this.before, this.flash, this.age] = [now, 0, 0];
    return true;
  }
}

function lookAt(pixels: Float32Array): Look {
  const count = pixels.length / 3;
  const colors = [0, 1, 2].map((c) => Float32Array.from({ length: count }, (_, i) => pixels[3 * i + c]!).sort());
  const luma = Float32Array.from({ length: count }, (_, i) => (pixels[3 * i]! + pixels[3 * i + 1]! + pixels[3 * i + 2]!) / 3);
  const mean = sum(luma) / count;
  let squares = 0;
  for (let i = 0; i < count; i++) {
    luma[i]! -= mean;
    squares += luma[i]! ** 2;
  }
  return { colors, luma, pixels, isPlain: Math.sqrt(squares / count) < PLAIN };
}

/** Whether a frame is another one with more light. */
function isLit(now: Look, before: Look): boolean {
  let darker = 0;
  for (let i = 0; i < now.pixels.length; i++) darker += Number(now.pixels[i]! < before.pixels[i]! - DARKER);
  return darker / now.pixels.length <= DARKER_SHARE;
}

/** Whether two frames are of two shots, but for flashes. */
function differs(before: Look, now: Look): boolean {
  // Sorted values differ by the earth mover's distance of the two distributions.
  let moved = 0;
  now.colors.forEach((values, c) => values.forEach((value, i) => (moved += Math.abs(value - before.colors[c]![i]!))));
  moved /= now.pixels.length;
  const norm = Math.sqrt(product(before.luma, before.luma) * product(now.luma, now.luma));
  const kept = norm > 1e-3 ? product(before.luma, now.luma) / norm : 0;
  return moved > COLORS_MOVED && kept < STRUCTURE_KEPT;
}

const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);

function product(one: Float32Array, other: Float32Array): number {
  let total = 0;
  for (let i = 0; i < one.length; i++) total += one[i]! * other[i]!;
  return total;
}
