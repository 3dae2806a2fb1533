/**
 * The example: the first shot of `vhmae demo`, an astronaut before a rocket as another camera would
 * have rendered her, composed and encoded here.
 */

import { BufferTarget, CanvasSource, Mp4OutputFormat, Output, QUALITY_VERY_HIGH, getFirstEncodableVideoCodec } from "mediabunny";
import { EXAMPLE } from "../network/files";
import { Unreadable } from "./clip";

const [WIDTH, HEIGHT, FPS, FRAMES] = [854, 480, 25, 50];

/** Scale, left and top of a layer, from the first frame to the last. */
type Way = readonly (readonly [number, number])[];
const BEHIND: Way = [[1.42, 1.36], [-40, -8], [-70, -60]];
const BEFORE: Way = [[1, 1.04], [250, 205], [-1, -8]];

/** The composite and its mask, as files that a person might have brought. */
export async function exampleFiles(): Promise<{ composite: File; mask: File }> {
  const [rocket, astronaut, matte, camera] = await Promise.all([
    pictureOf(EXAMPLE.behind),
    pictureOf(EXAMPLE.before),
    pictureOf(EXAMPLE.matte),
    fetch(EXAMPLE.camera).then(async (answer) => (await answer.json()) as { map: number[][] }),
  ]);
  const subject = cutOut(astronaut, matte, camera.map);
  const cover = cutOut(null, matte, []);
  const composite = await encoded("example.mp4", (context, share) => {
    place(context, BEHIND, share, rocket);
    place(context, BEFORE, share, subject);
  });
  const mask = await encoded("example-mask.mp4", (context, share) => {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillRect(0, 0, WIDTH, HEIGHT);
    place(context, BEFORE, share, cover);
  });
  return { composite, mask };
}

async function pictureOf(address: string): Promise<ImageBitmap> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Unreadable("live.unreadable", { name: address });
  return createImageBitmap(await answer.blob());
}

function place(context: OffscreenCanvasRenderingContext2D, way: Way, share: number, picture: CanvasImageSource): void {
  const [scale, left, top] = way.map(([from, to]) => from + (to - from) * share) as [number, number, number];
  context.setTransform(scale, 0, 0, scale, left, top);
  context.drawImage(picture, 0, 0);
}

/**
 * A picture inside of its matte.
 *
 * @param picture null is white.
 * @param map (9, 3): red, green, blue, their squares and products (rg, rb, gb) to the camera's colors.
 */
function cutOut(picture: ImageBitmap | null, matte: ImageBitmap, map: number[][]): OffscreenCanvas {
  const { width, height } = matte;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(matte, 0, 0, width, height);
  const cover = context.getImageData(0, 0, width, height).data;
  context.fillStyle = "#fff";
  if (picture) context.drawImage(picture, 0, 0, width, height);
  else context.fillRect(0, 0, width, height);
  const image = context.getImageData(0, 0, width, height);
  for (let at = 0; at < image.data.length; at += 4) {
    if (picture) {
      const [r, g, b] = [0, 1, 2].map((c) => image.data[at + c]! / 255) as [number, number, number];
      const terms = [r, g, b, r * r, g * g, b * b, r * g, r * b, g * b];
      for (let c = 0; c < 3; c++)
        image.data[at + c] = 255 * terms.reduce((sum, term, k) => sum + term * map[k]![c]!, 0);
    }
    image.data[at + 3] = cover[at]!;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

async function encoded(name: string, draw: (context: OffscreenCanvasRenderingContext2D, share: number) => void): Promise<File> {
  const codec = await getFirstEncodableVideoCodec(["avc", "vp9"], { width: WIDTH, height: HEIGHT });
  if (!codec) throw new Unreadable("live.no-encoder");
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext("2d")!;
  const target = new BufferTarget();
  const output = new Output({ format: new Mp4OutputFormat(), target });
  const source = new CanvasSource(canvas, { codec, bitrate: QUALITY_VERY_HIGH });
  output.addVideoTrack(source, { frameRate: FPS });
  await output.start();
  for (let i = 0; i < FRAMES; i++) {
    draw(context, i / (FRAMES - 1));
    await source.add(i / FPS, 1 / FPS);
  }
  await output.finalize();
  return new File([target.buffer!], name, { type: "video/mp4" });
}
