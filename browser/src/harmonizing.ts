/** A clip harmonized: looked at once from its beginning to its end, then drawn frame by frame. */

import { guided, type Change, type Decision } from "../../frontend/src/index";
import { Stream, type Network, type Quality, type Released } from "./analysis/stream";
import { Unreadable, type Clip } from "./video/clip";
import type { Masked, Mattes } from "./video/mattes";

/** What is known of a clip once it was looked at. */
export class Harmonized {
  private constructor(
    private readonly stream: Stream,
    private readonly released: readonly Released[],
    /** Seconds at which each frame is shown. */
    readonly timestamps: readonly number[],
  ) {}

  /**
   * Look at all frames.
   *
   * @param told is told how many were seen.
   * @throws AbortError where it is given up; Unreadable where mattes show no foreground, or nothing else.
   */
  static async look(
    network: Network,
    clip: Clip,
    mattes: Mattes,
    quality: Quality,
    signal: AbortSignal,
    told: (frames: number) => void,
  ): Promise<Harmonized> {
    const stream = new Stream(network, quality);
    const released: Released[] = [];
    const timestamps: number[] = [];
    for await (const { pixels, matte, timestamp, index } of mattes.masked(clip)) {
      signal.throwIfAborted();
      released.push(...(await stream.push({ picture: pixels, matte })));
      timestamps.push(timestamp);
      told(index + 1);
    }
    released.push(...(await stream.drain()));
    if (stream.seen.foreground === 0) throw new Unreadable("live.mask-empty");
    if (stream.seen.both === 0) throw new Unreadable("live.mask-whole");
    return new Harmonized(stream, released, timestamps);
  }

  get count(): number {
    return this.released.length;
  }

  /** Number of a frame's shot, from 0. */
  shotOf(index: number): number {
    return this.released[index]!.shot;
  }

  /** How much of its change a frame is given, 0 to 1: less of it in a fade. */
  shareOf(index: number): number {
    return this.released[index]!.shown;
  }

  /** Frames with a foreground that could not be read: they stay as they are. */
  get unread(): number {
    return this.stream.unread;
  }

  /** The maps of a frame before strength and without what was said; null where nothing is done. */
  mapsOf(index: number) {
    return this.stream.mapsOf(this.released[index]!);
  }

  /** What is to be done to a frame. */
  changeOf(index: number, decisions: ReadonlyMap<number, Decision>, strength: number): Change | null {
    const one = this.released[index]!;
    const maps = this.stream.mapsOf(one);
    return maps && guided(maps, decisions.get(one.shot)?.change ?? null, strength * one.shown, []);
  }

  /** As {@link changeOf}, for who has a frame in hand. */
  changes(decisions: ReadonlyMap<number, Decision>, strength: number): (frame: Masked) => Change | null {
    return ({ index }) => this.changeOf(index, decisions, strength);
  }
}
