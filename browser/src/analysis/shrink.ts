/**
 * Small pictures by mean, as OpenCV's `INTER_AREA` makes them: `vhmae.video.planes.shrink`.
 *
 * Bytes stay bytes from step to step, rounded as OpenCV rounds them.
 */

/** Planes of bytes that lie pixel by pixel: (height, width, channels). */
export interface Raster {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
  channels: number;
}

/** Shrink by mean; halves first as often as that goes. */
export function shrink(picture: Raster, height: number, width: number): Raster {
  let now = picture;
  while (now.height >= 2 * height && now.width >= 2 * width) now = halved(now);
  if (now.height === height && now.width === width) return now;
  const isShrinking = now.width >= width && now.height >= height;
  const across = (isShrinking ? shares : blends)(now.width, width);
  const down = (isShrinking ? shares : blends)(now.height, height);
  return weighted(now, across, down);
}

/** The means of 2 by 2 pixels; an odd row or column at the end is left out. */
function halved(picture: Raster): Raster {
  const { data, channels } = picture;
  const [width, height] = [picture.width >> 1, picture.height >> 1];
  const out = new Uint8Array(width * height * channels);
  const row = picture.width * channels;
  let to = 0;
  for (let y = 0; y < height; y++) {
    let from = 2 * y * row;
    for (let x = 0; x < width; x++, from += 2 * channels) {
      for (let c = 0; c < channels; c++) {
        const at = from + c;
        const below = at + row;
        out[to++] =
          (data[at]! + data[at + channels]! + data[below]! + data[below + channels]! + 2) >> 2;
      }
    }
  }
  return { data: out, width, height, channels };
}

/** Which pixels make up one of the small picture, in a row or column, and how much of each. */
interface Part {
  first: number;
  shares: number[];
}

/** Least share of a pixel that counts. */
const LEAST = 1e-3;

/** Each small pixel is the mean of what it covers. */
function shares(from: number, to: number): Part[] {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const begin = i * scale;
    const end = begin + scale;
    const cell = Math.min(scale, from - begin);
    const last = Math.min(Math.floor(end), from - 1);
    const whole = Math.min(Math.ceil(begin), last);
    const part: Part = { first: whole, shares: [] };
    if (whole - begin > LEAST) {
      part.first = whole - 1;
      part.shares.push((whole - begin) / cell);
    }
    for (let x = whole; x < last; x++) part.shares.push(1 / cell);
    if (end - last > LEAST) part.shares.push(Math.min(end - last, 1, cell) / cell);
    return part;
  });
}

/** Each pixel of a larger picture lies in one pixel, or over the border of two. */
function blends(from: number, to: number): Part[] {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    let lower = Math.floor(i * scale);
    const place = i + 1 - ((lower + 1) * to) / from;
    let share = place <= 0 ? 0 : place - Math.floor(place);
    if (lower >= from - 1) [lower, share] = [from - 1, 0];
    return { first: lower, shares: share > 0 ? [1 - share, share] : [1] };
  });
}

function weighted(picture: Raster, across: Part[], down: Part[]): Raster {
  const { data, channels } = picture;
  const [width, height] = [across.length, down.length];
  const out = new Uint8Array(width * height * channels);
  const lines = new Map<number, Float64Array>();
  const lineAt = (y: number): Float64Array => {
    const known = lines.get(y);
    if (known) return known;
    const line = new Float64Array(width * channels);
    across.forEach((part, x) => {
      part.shares.forEach((share, i) => {
        const from = (y * picture.width + part.first + i) * channels;
        for (let c = 0; c < channels; c++) line[x * channels + c]! += share * data[from + c]!;
      });
    });
    lines.set(y, line);
    return line;
  };
  down.forEach((part, y) => {
    for (const seen of lines.keys()) if (seen < part.first) lines.delete(seen);
    const sum = new Float64Array(width * channels);
    part.shares.forEach((share, i) => {
      const line = lineAt(part.first + i);
      for (let k = 0; k < sum.length; k++) sum[k]! += share * line[k]!;
    });
    const to = y * sum.length;
    for (let k = 0; k < sum.length; k++) out[to + k] = Math.round(sum[k]!);
  });
  return { data: out, width, height, channels };
}
