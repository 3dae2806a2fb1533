/** The network's maps of frames, as the server gives them. */

import { signal } from "@preact/signals";
import { SIZE, type Maps } from "../../src/index";
import { api } from "../api";

/** What is known of one frame. */
export interface FrameMaps {
  frame: number;
  shot: number;
  /** Else an answer of the frame's neighborhood alone, which will be refined. */
  isFinal: boolean;
  /** Of each object, in full; null where it is not in the frame. */
  objects: (Maps | null)[];
  /** How much of its change, and of what a guide adds, each is given: less of it in a fade. */
  shares: number[];
}

const MAGIC = 0x50414d56; // "VMAP"
const HEADER_BYTES = 24;
const BLOCK = 64;
const MOST_FRAMES = 4096;

/** Read an answer of `maps`; frames that are not known yet are left out. */
export function parseMaps(buffer: ArrayBuffer): FrameMaps[] {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEADER_BYTES || view.getUint32(0, true) !== MAGIC) {
    throw new TypeError("not an answer of maps");
  }
  const [count, objects, grid] = [8, 12, 16].map((at) => view.getUint32(at, true)) as Three;
  const cells = grid * grid * 12;
  const found: FrameMaps[] = [];
  let at = HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const [frame, shot, flags] = [0, 4, 8].map((more) => view.getUint32(at + more, true)) as Three;
    at += 16;
    const row: FrameMaps = { frame, shot, isFinal: (flags & 1) > 0, objects: [], shares: [] };
    for (let object = 0; object < objects; object++) {
      const present = view.getUint32(at, true) > 0;
      row.shares.push(view.getFloat32(at + 4, true));
      at += 8;
      const overall = Float64Array.from(new Float32Array(buffer, at, SIZE));
      const local = new Float32Array(buffer.slice(at + 4 * SIZE, at + 4 * (SIZE + cells)));
      at += 4 * (SIZE + cells);
      row.objects.push(present ? { overall, local, rows: grid, columns: grid } : null);
    }
    if (!(flags & 2)) found.push(row);
  }
  return found;
}
type Three = [number, number, number];

/** Counts up when maps that may be shown have become better. */
export const mapsVersion = signal(0);

class MapsOf {
  private readonly known = new Map<number, FrameMaps>();
  private readonly asked = new Map<number, Promise<void>>();
  /** Frames whose maps have become better since: what is known of them is shown until these come. */
  private readonly stale = new Set<number>();

  constructor(private readonly id: string) {}

  /** What is known by now. */
  at(frame: number): FrameMaps | undefined {
    return this.known.get(frame);
  }

  /** The maps of one frame as they are by now; the server makes them first where they are not there. */
  async need(frame: number, signal?: AbortSignal): Promise<FrameMaps> {
    const known = this.known.get(frame);
    if (known && !this.stale.has(frame)) return known;
    await this.fetch(frame, 1, signal);
    const found = this.known.get(frame);
    if (!found) throw new TypeError(`no maps of frame ${frame}`);
    return found;
  }

  /** Have the maps around a frame fetched, as far as they are made. */
  prefetch(frame: number, frames: number): Promise<void> {
    const first = Math.floor(frame / BLOCK) * BLOCK;
    const running = this.asked.get(first);
    if (running) return running;
    const isWhole = () => {
      for (let i = first; i < Math.min(first + BLOCK, frames); i++)
        if (!this.known.get(i)?.isFinal) return false;
      return true;
    };
    if (isWhole()) return Promise.resolve();
    const asking = this.fetch(first, Math.min(BLOCK, frames - first))
      .catch(() => undefined) // asked again when it is needed
      .finally(() => this.asked.delete(first));
    this.asked.set(first, asking);
    return asking;
  }

  /** The server has made these anew: they are asked for when they are needed. */
  markStale(first: number, last: number): void {
    for (const [frame, { isFinal }] of this.known)
      if (frame >= first && frame <= last && !isFinal) this.stale.add(frame);
  }

  clear(): void {
    this.known.clear();
    this.stale.clear();
  }

  private async fetch(first: number, count: number, signal?: AbortSignal): Promise<void> {
    // What becomes stale from now on may be newer than the answer.
    const asked = [...this.stale].filter((frame) => frame >= first && frame < first + count);
    for (const frame of asked) this.stale.delete(frame);
    try {
      this.take(parseMaps(await api.maps(this.id, first, count, signal)));
    } catch (error) {
      for (const frame of asked) this.stale.add(frame);
      throw error;
    }
  }

  private take(rows: FrameMaps[]): void {
    for (const row of rows) this.known.set(row.frame, row);
    while (this.known.size > MOST_FRAMES) {
      this.known.delete(this.known.keys().next().value!);
    }
    mapsVersion.value++;
  }
}

let current: { id: string; maps: MapsOf } | null = null;

/** The maps of a project. */
export function mapsOf(id: string): MapsOf {
  if (current?.id !== id) current = { id, maps: new MapsOf(id) };
  return current.maps;
}
