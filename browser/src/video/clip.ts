/** Clips and pictures as frames: read by WebCodecs, in order or one at a time. */

import {
  ALL_FORMATS,
  BlobSource,
  EncodedPacketSink,
  Input,
  VideoSampleSink,
  type InputVideoTrack,
  type VideoSample,
} from "mediabunny";
import { Renderer, type Pixels } from "../../../frontend/src/index";

/** A frame as its pixels are shown, four bytes each, alpha not multiplied in. */
export interface ClipFrame {
  pixels: Pixels & { data: Uint8Array };
  /** Seconds from the clip's beginning. */
  timestamp: number;
  duration: number;
}

export interface Clip {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Whether it is one picture, which holds for any number of frames. */
  readonly isStill: boolean;
  /** Whether its alpha can say what is foreground. */
  readonly mayBeTransparent: boolean;
  /** The file, where its sound is taken from. */
  readonly file: Blob;
  /** When each frame is shown, in seconds: read off the file, nothing is decoded. */
  times(): Promise<readonly number[]>;
  /** All frames in order; those that an edit list hides, before 0, are not shown by players either. */
  frames(): AsyncGenerator<ClipFrame>;
  /** The frame shown at a time in seconds. */
  at(timestamp: number): Promise<ClipFrame>;
}

/** Said where a file is no clip and no picture that the browser reads; holds a key of the catalogue. */
export class Unreadable extends Error {
  constructor(
    readonly key: string,
    readonly values: Record<string, unknown> = {},
  ) {
    super(key);
    this.name = "Unreadable";
  }
}

/** Reads pixels by the GPU: a canvas would multiply alpha in, and lose the colors where it is 0. */
let reader: Renderer | null = null;

function pixelsOf(source: TexImageSource): Pixels & { data: Uint8Array } {
  reader ??= new Renderer(new OffscreenCanvas(1, 1));
  reader.setFrame(source);
  return reader.read("before");
}

/**
 * Open a file.
 *
 * @throws Unreadable where the browser cannot read it.
 */
export async function openClip(file: File): Promise<Clip> {
  if (file.type.startsWith("image/")) return Still.open(file);
  if (typeof VideoDecoder === "undefined") throw new Unreadable("live.no-codecs");
  return Video.open(file);
}

class Still implements Clip {
  readonly isStill = true;

  private constructor(
    readonly name: string,
    readonly file: Blob,
    private readonly pixels: Pixels & { data: Uint8Array },
    readonly mayBeTransparent: boolean,
  ) {}

  static async open(file: File): Promise<Clip> {
    const options: ImageBitmapOptions = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
    const bitmap = await createImageBitmap(file, options).catch(() => {
      throw new Unreadable("live.unreadable", { name: file.name });
    });
    const pixels = pixelsOf(bitmap);
    bitmap.close();
    return new Still(file.name, file, pixels, isTransparent(pixels.data));
  }

  get width(): number {
    return this.pixels.width;
  }

  get height(): number {
    return this.pixels.height;
  }

  async times(): Promise<readonly number[]> {
    return [0];
  }

  async *frames(): AsyncGenerator<ClipFrame> {
    yield await this.at();
  }

  async at(): Promise<ClipFrame> {
    return { pixels: this.pixels, timestamp: 0, duration: 1 };
  }
}

/** Seconds by which times that are told and those of frames may differ. */
const SAME_TIME = 1e-4;

class Video implements Clip {
  readonly isStill = false;
  private readonly sink: VideoSampleSink;

  private constructor(
    readonly name: string,
    readonly file: Blob,
    private readonly track: InputVideoTrack,
    readonly width: number,
    readonly height: number,
    readonly mayBeTransparent: boolean,
  ) {
    this.sink = new VideoSampleSink(track);
  }

  static async open(file: File): Promise<Clip> {
    const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
    if (!(await input.canRead())) throw new Unreadable("live.unreadable", { name: file.name });
    const track = await input.getPrimaryVideoTrack();
    if (!track) throw new Unreadable("live.no-picture", { name: file.name });
    if (!(await track.canDecode())) {
      throw new Unreadable("live.no-decoder", { name: file.name, codec: (await track.getCodec()) ?? "?" });
    }
    const { transfer }: { transfer?: string | null } = await track.getColorSpace(); // wide primaries alone are no HDR
    if (transfer === "pq" || transfer === "hlg") throw new Unreadable("live.hdr", { name: file.name });
    const [width, height] = [await track.getDisplayWidth(), await track.getDisplayHeight()];
    return new Video(file.name, file, track, width, height, await track.canBeTransparent());
  }

  async times(): Promise<readonly number[]> {
    const times: number[] = [];
    const packets = new EncodedPacketSink(this.track).packets(undefined, undefined, { metadataOnly: true });
    for await (const { timestamp } of packets) if (timestamp >= 0) times.push(timestamp);
    return times.sort((one, other) => one - other); // packets come in the order in which they are decoded
  }

  async *frames(): AsyncGenerator<ClipFrame> {
    let last = -1;
    for await (const sample of this.sink.samples()) {
      last = Math.max(last, sample.timestamp);
      if (sample.timestamp >= 0) yield this.read(sample);
      else sample.close();
    }
    // A decoder on a busy machine was seen to end before the last frames of a short clip: they are asked for by their times.
    for (const time of await this.times()) {
      if (time <= last + SAME_TIME) continue;
      const frame = await this.at(time);
      if (frame.timestamp <= last + SAME_TIME) break; // it cannot be decoded
      last = frame.timestamp;
      yield frame;
    }
  }

  async at(timestamp: number): Promise<ClipFrame> {
    const sample = await this.sink.getSample(timestamp);
    if (!sample) throw new Unreadable("live.unreadable", { name: this.name });
    return this.read(sample);
  }

  private read(sample: VideoSample): ClipFrame {
    const { timestamp, duration } = sample;
    const isPlain = sample.rotation === 0 && !sample.flip && sample.displayWidth === sample.codedWidth && sample.displayHeight === sample.codedHeight;
    let pixels: Pixels & { data: Uint8Array };
    if (isPlain) {
      const frame = sample.toVideoFrame();
      pixels = pixelsOf(frame);
      frame.close();
    } else {
      const canvas = new OffscreenCanvas(this.width, this.height);
      sample.draw(canvas.getContext("2d")!, 0, 0, this.width, this.height);
      pixels = pixelsOf(canvas);
    }
    sample.close();
    return { pixels, timestamp, duration };
  }
}

/** Whether any pixel (red, green, blue, alpha) lets something through. */
function isTransparent(data: Uint8Array | Uint8ClampedArray): boolean {
  for (let at = 3; at < data.length; at += 4) if (data[at]! < 255) return true;
  return false;
}
