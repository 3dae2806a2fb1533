/** The network in a thread of its own: opens a session once, then answers windows. */

import * as ort from "onnxruntime-web/wasm";
import type { Answer } from "../analysis/stream";
import { FILES, bytesOf } from "./files";
import { metadataOf } from "./graph";
import { readSafetensors } from "./safetensors";

/** What the page asks for; every question has a number, and one answer. */
export type Question =
  | { number: number; open: { base: string; threads: number } }
  | { number: number; frames: Float32Array; masks: Uint8Array };

/** What is told once the network is open. */
export interface Opened {
  clipFrames: number;
  imageSize: number;
  caution: number;
  threads: number;
}

export type Reply = { number: number } & ({ said: Opened | Answer } | { trouble: string });

/** Sets of colors that are handed over and not read: each has one color. */
const SETS = ["foreground", "background", "inner_ring", "outer_ring"];

let session: ort.InferenceSession | null = null;
let told: Opened | null = null;

async function open({ base, threads }: { base: string; threads: number }): Promise<Opened> {
  const [graph, weights, runtime] = await Promise.all(
    [FILES.graph, FILES.weights, FILES.runtime].map((name) => bytesOf(new URL(name, base))),
  );
  ort.env.logLevel = "error";
  ort.env.wasm.wasmBinary = runtime!.buffer;
  ort.env.wasm.wasmPaths = { mjs: new URL(FILES.loader, base).href };
  ort.env.wasm.numThreads = threads;
  const { numbers, told: said } = readSafetensors(weights!);
  const config = JSON.parse(said["model"] ?? "{}") as { clip_frames: number; image_size: number; caution: number | null };
  const facts = JSON.parse(metadataOf(graph!)["vhmae.facts"] ?? "{}") as { usual_caution: number; holds_between_key_frames: boolean };
  if (!facts.holds_between_key_frames) throw new TypeError("these weights draw pixels; take weights that say color maps");
  session = await ort.InferenceSession.create(graph!, {
    executionProviders: ["wasm"],
    logSeverityLevel: 3, // errors
    externalData: [...numbers].map(([path, values]) => ({ path, data: new Uint8Array(values.buffer) })),
  });
  const { clip_frames: clipFrames, image_size: imageSize } = config;
  return (told = { clipFrames, imageSize, caution: config.caution ?? facts.usual_caution, threads });
}

async function ask(frames: Float32Array, masks: Uint8Array): Promise<Answer> {
  const { clipFrames: count, imageSize: size } = told!;
  const area = size * size;
  const planes = new Float32Array(frames.length); // (T, 3, S, S)
  for (let t = 0; t < count; t++)
    for (let c = 0; c < 3; c++)
      for (let i = 0; i < area; i++) planes[(3 * t + c) * area + i] = frames[3 * (t * area + i) + c]!;
  const feeds: Record<string, ort.Tensor> = {
    frames: new ort.Tensor("float32", planes, [1, count, 3, size, size]),
    masks: new ort.Tensor("bool", masks, [1, count, 1, size, size]),
    surveyed: new ort.Tensor("bool", [false], []),
    shares: new ort.Tensor("float32", new Float32Array(SETS.length), [1, SETS.length]),
  };
  for (const name of SETS) feeds[name] = new ort.Tensor("float32", new Float32Array(3), [1, 1, 3]);
  const found = await session!.run(feeds);
  const local = found["local"]!;
  const [rows, columns] = [local.dims[2]!, local.dims[3]!];
  const values = local.data as Float32Array;
  const one = values.length / count;
  return {
    overall: found["overall"]!.data as Float32Array,
    local: Array.from({ length: count }, (_, t) => values.slice(t * one, (t + 1) * one)),
    rows,
    columns,
    squared: (found["squared"]!.data as Float32Array)[0]!,
  };
}

addEventListener("message", (event: MessageEvent<Question>) => {
  const asked = event.data;
  const answered = "open" in asked ? open(asked.open) : ask(asked.frames, asked.masks);
  const reply = (said: Reply): void => postMessage(said);
  answered.then(
    (said) => reply({ number: asked.number, said }),
    (error: unknown) => reply({ number: asked.number, trouble: error instanceof Error ? error.message : String(error) }),
  );
});
