/** Frames and mattes, fetched and decoded; what was seen last is kept. */

import type { Box } from "../../src/index";
import { address, api, type Size } from "../api";

/** A frame with the mattes of its parts that move, of one size. */
export interface Picture {
  frame: number;
  size: Size;
  exact: boolean;
  bitmap: ImageBitmap;
  mattes: ImageBitmap[];
}

// Pixels are code values: nothing may be converted on the way.
const AS_THEY_ARE: ImageBitmapOptions = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
const MOST_BYTES = 384e6;

const kept = new Map<string, Promise<ImageBitmap>>();
const sizes = new Map<string, number>();
let total = 0;

async function decoded(path: string, signal?: AbortSignal): Promise<ImageBitmap> {
  const known = kept.get(path);
  if (known) {
    kept.delete(path); // the last that was asked for is kept longest
    kept.set(path, known);
    return known;
  }
  return decodedFrom(path, await api.picture(path, signal));
}

async function decodedFrom(path: string, blob: Blob): Promise<ImageBitmap> {
  const making = createImageBitmap(blob, AS_THEY_ARE);
  kept.set(path, making);
  making.catch(() => kept.delete(path)); // what cannot be read now may be read later
  const bitmap = await making;
  if (!sizes.has(path)) {
    const bytes = 4 * bitmap.width * bitmap.height;
    sizes.set(path, bytes);
    total += bytes;
  }
  trim();
  return bitmap;
}

function trim(): void {
  for (const path of kept.keys()) {
    if (total <= MOST_BYTES) return;
    total -= sizes.get(path) ?? 0;
    sizes.delete(path);
    kept.delete(path); // closed by the collector: somebody may still show it
  }
}

/** Forget all pictures: another clip, or other masks. */
export function forgetPictures(): void {
  kept.clear();
  sizes.clear();
  total = 0;
}

/** A frame and its mattes. */
export async function pictureOf(
  id: string,
  frame: number,
  parts: readonly number[],
  size: Size,
  as: "exact" | "fast",
  signal?: AbortSignal,
): Promise<Picture> {
  const [bitmap, ...mattes] = await Promise.all([
    decoded(address.frame(id, frame, size, as), signal),
    ...parts.map((object) => decoded(address.matte(id, frame, size, object), signal)),
  ]);
  return { frame, size, exact: as === "exact", bitmap: bitmap!, mattes };
}

/** A frame and its mattes as they were sent, to be decoded when it is its turn. */
export type Packed = readonly Uint8Array<ArrayBuffer>[];

const REEL_MAGIC = 0x4c455256; // "VREL"

/** Read an answer of `frames`: what the server had at hand, by frame. */
export function parsePlayed(buffer: ArrayBuffer): Map<number, Packed> {
  const view = new DataView(buffer);
  if (buffer.byteLength < 16 || view.getUint32(0, true) !== REEL_MAGIC) {
    throw new TypeError("not an answer of frames");
  }
  const [count, pictures] = [view.getUint32(8, true), view.getUint32(12, true)];
  const found = new Map<number, Packed>();
  let at = 16;
  for (let i = 0; i < count; i++) {
    const frame = view.getUint32(at, true);
    const sizes = Array.from({ length: pictures }, (_, k) => view.getUint32(at + 4 * (k + 1), true));
    at += 4 * (1 + pictures);
    const packed: Uint8Array<ArrayBuffer>[] = [];
    for (const size of sizes) {
      packed.push(new Uint8Array(buffer, at, size));
      at += size;
    }
    found.set(frame, packed);
  }
  return found;
}

/** A frame that is played, and its mattes. */
export async function unpacked(
  id: string,
  frame: number,
  parts: readonly number[],
  packed: Packed,
): Promise<Picture> {
  const paths = [
    address.frame(id, frame, "preview", "fast"),
    ...parts.map((object) => address.matte(id, frame, "preview", object)),
  ];
  const [bitmap, ...mattes] = await Promise.all(
    paths.map((path, i) => kept.get(path) ?? decodedFrom(path, new Blob([packed[i]!]))),
  );
  return { frame, size: "preview", exact: false, bitmap: bitmap!, mattes };
}

/** A frame and its mattes to be seen at once: in one answer, where the server has them at hand. */
export async function quickPictureOf(
  id: string,
  frame: number,
  parts: readonly number[],
  signal: AbortSignal,
): Promise<Picture> {
  if (!kept.has(address.frame(id, frame, "preview", "fast"))) {
    const packed = parsePlayed(await api.played(id, frame, 1, 1, signal)).get(frame);
    if (packed?.length === 1 + parts.length) return unpacked(id, frame, parts, packed);
  }
  return pictureOf(id, frame, parts, "preview", "fast", signal);
}

/** One byte a pixel of a matte. */
export function bytesOf(matte: ImageBitmap): Uint8Array {
  const pixels = pixelsOf(matte);
  const out = new Uint8Array(matte.width * matte.height);
  for (let i = 0; i < out.length; i++) out[i] = pixels.data[4 * i]!;
  return out;
}

const reaches = new WeakMap<ImageBitmap, Box>();

/** The pixels of which a matte is more than nothing lie in here. */
export function reachOf(matte: ImageBitmap): Box {
  const known = reaches.get(matte);
  if (known) return known;
  const { data, width, height } = pixelsOf(matte);
  const words = new Uint32Array(data.buffer);
  const nothing = new Uint32Array(new Uint8Array([0, 0, 0, 255]).buffer)[0]!;
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    const row = y * width;
    let first = 0;
    while (first < width && words[row + first] === nothing) first++;
    if (first === width) continue;
    let last = width;
    while (words[row + last - 1] === nothing) last--;
    top = Math.min(top, y);
    bottom = y + 1;
    left = Math.min(left, first);
    right = Math.max(right, last);
  }
  const found = right > left ? { left, top, right, bottom } : { left: 0, top: 0, right: 0, bottom: 0 };
  reaches.set(matte, found);
  return found;
}

let readable: OffscreenCanvasRenderingContext2D | null = null;

/** Four bytes a pixel. */
export function pixelsOf(bitmap: ImageBitmap): ImageData {
  const { width, height } = bitmap;
  if (readable?.canvas.width !== width || readable.canvas.height !== height) {
    const canvas = new OffscreenCanvas(width, height);
    readable = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" })!;
  }
  readable.globalCompositeOperation = "copy"; // nothing stays of what was there
  readable.drawImage(bitmap, 0, 0);
  return readable.getImageData(0, 0, width, height);
}
