/** Writes what was harmonized: mp4 with the sound of the clip, or a picture. */

import {
  ALL_FORMATS,
  BlobSource,
  BufferTarget,
  CanvasSource,
  EncodedAudioPacketSource,
  EncodedPacketSink,
  Input,
  Mp4OutputFormat,
  Output,
  canEncodeVideo,
  type VideoCodec,
} from "mediabunny";
import { Renderer, type Change, type View } from "../../../frontend/src/index";
import { Unreadable, type Clip } from "./clip";
import type { Masked, Mattes } from "./mattes";

export interface Written {
  file: Blob;
  /** "avc" or "vp9"; null of a picture. */
  codec: VideoCodec | null;
  sound: "kept" | "none" | "lost";
}

/** What is to be done to a frame; null where it stays as it is. */
export type ChangeAt = (frame: Masked) => Change | null;

/** H.264 plays everywhere; VP9 is there where a browser has no encoder for it. */
const CODECS: readonly VideoCodec[] = ["avc", "vp9"];
/** Bits a second of a frame of 1920 by 1080; smaller ones take more a pixel. */
const BITS = 20e6;
const PLAIN: View = {
  mode: "after",
  wipe: 0,
  gain: 1,
  showMatte: false,
  scale: 1,
  pixels: true,
  offset: [0, 0],
  ground: [0, 0, 0],
};

/** A matte as a texture is made of. */
export function asTexture(matte: Uint8Array, width: number, height: number) {
  const data = new Uint8Array(4 * matte.length);
  matte.forEach((value, i) => (data[4 * i] = value));
  return { data, width, height };
}

/** Draw a frame as it comes out. */
export function drawn(renderer: Renderer, frame: Masked, change: Change | null): void {
  const { width, height } = frame.pixels;
  renderer.setFrame(frame.pixels);
  renderer.render(change ? [{ matte: asTexture(frame.matte, width, height), change }] : []);
}

/**
 * Write a clip: mp4, or PNG of a picture.
 *
 * @param told is told how many frames are done.
 * @throws Unreadable where the browser has no encoder for it; AbortError where it is given up.
 */
export async function write(
  clip: Clip,
  mattes: Mattes,
  changeAt: ChangeAt,
  signal: AbortSignal,
  told: (frames: number) => void,
): Promise<Written> {
  const canvas = new OffscreenCanvas(clip.width, clip.height);
  const renderer = new Renderer(canvas);
  try {
    if (!clip.isStill) return await writeVideo(clip, mattes, changeAt, signal, told, canvas, renderer);
    const frame = await mattes.at(clip, 0, 0);
    drawn(renderer, frame, changeAt(frame));
    renderer.show(PLAIN);
    return { file: await canvas.convertToBlob({ type: "image/png" }), codec: null, sound: "none" };
  } finally {
    renderer.dispose();
  }
}

async function writeVideo(
  clip: Clip,
  mattes: Mattes,
  changeAt: ChangeAt,
  signal: AbortSignal,
  told: (frames: number) => void,
  canvas: OffscreenCanvas,
  renderer: Renderer,
): Promise<Written> {
  const codec = await codecFor(clip.width, clip.height);
  const format = new Mp4OutputFormat({ fastStart: "in-memory" });
  const target = new BufferTarget();
  const output = new Output({ format, target });
  const pictures = new CanvasSource(canvas, { codec, bitrate: bitsOf(clip.width, clip.height) });
  output.addVideoTrack(pictures);
  const sound = await soundOf(clip, format);
  if (sound.source) output.addAudioTrack(sound.source);
  await output.start();
  try {
    const audio = sound.copy();
    for await (const frame of mattes.masked(clip)) {
      signal.throwIfAborted();
      drawn(renderer, frame, changeAt(frame));
      renderer.show(PLAIN);
      await pictures.add(frame.timestamp, frame.duration);
      told(frame.index + 1);
    }
    pictures.close();
    await audio;
    await output.finalize();
  } catch (error) {
    await output.cancel();
    throw error;
  }
  return { file: new Blob([target.buffer!], { type: "video/mp4" }), codec, sound: sound.kind };
}

const bitsOf = (width: number, height: number): number => Math.round(BITS * ((width * height) / (1920 * 1080)) ** 0.75);

/** The first codec that the browser encodes at this size. */
async function codecFor(width: number, height: number): Promise<VideoCodec> {
  for (const codec of CODECS) if (await canEncodeVideo(codec, { width, height, bitrate: bitsOf(width, height) })) return codec;
  throw new Unreadable("live.no-encoder");
}

/** The clip's sound, packet by packet as it is: no encoder is needed. */
async function soundOf(clip: Clip, format: Mp4OutputFormat) {
  const input = new Input({ source: new BlobSource(clip.file), formats: ALL_FORMATS });
  const track = await input.getPrimaryAudioTrack();
  const codec = track && (await track.getCodec());
  const config = track && (await track.getDecoderConfig());
  const none = { source: null, copy: async (): Promise<void> => undefined };
  if (!track) return { ...none, kind: "none" as const };
  if (!codec || !config || !format.getSupportedAudioCodecs().includes(codec)) return { ...none, kind: "lost" as const };
  const source = new EncodedAudioPacketSource(codec);
  const copy = async (): Promise<void> => {
    for await (const packet of new EncodedPacketSink(track).packets()) {
      if (packet.timestamp >= 0) await source.add(packet, { decoderConfig: config });
    }
    source.close();
  };
  return { source, copy, kind: "kept" as const };
}
