/** The network from the page's side: questions to its thread. */

import type { Answer, Network } from "../analysis/stream";
import { FILES } from "./files";
import type { Opened, Question, Reply } from "./worker";

type Ask = Question extends infer One ? (One extends { number: number } ? Omit<One, "number"> : never) : never;

/** Threads where the page may share memory between them (COOP and COEP headers); else one. */
const threadsHere = (): number => (crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1);

export class WorkerNetwork implements Network {
  private constructor(
    private readonly line: Line,
    private readonly told: Opened,
  ) {}

  get clipFrames(): number {
    return this.told.clipFrames;
  }

  get imageSize(): number {
    return this.told.imageSize;
  }

  get caution(): number {
    return this.told.caution;
  }

  get threads(): number {
    return this.told.threads;
  }

  /**
   * Fetch and open the network.
   *
   * @throws Error where a file is missing, or the browser cannot run it.
   */
  static async open(base: string = document.baseURI): Promise<WorkerNetwork> {
    const line = new Line(new Worker(new URL(FILES.worker, base), { type: "module" }));
    const told = await line.ask<Opened>({ open: { base, threads: threadsHere() } });
    return new WorkerNetwork(line, told);
  }

  async ask(frames: Float32Array, masks: Uint8Array): Promise<Answer> {
    return this.line.ask<Answer>({ frames, masks }, [frames.buffer as ArrayBuffer, masks.buffer as ArrayBuffer]);
  }
}

/** Questions to a thread, each with its answer. */
class Line {
  private readonly open = new Map<number, { heard: (said: never) => void; failed: (error: Error) => void }>();
  private count = 0;

  constructor(private readonly worker: Worker) {
    worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => {
      const asked = this.open.get(data.number);
      this.open.delete(data.number);
      if ("trouble" in data) asked?.failed(new Error(data.trouble));
      else asked?.heard(data.said as never);
    });
    worker.addEventListener("error", (event) => {
      for (const asked of this.open.values()) asked.failed(new Error(event.message || "the network's thread ended"));
      this.open.clear();
    });
  }

  ask<T>(question: Ask, moved: Transferable[] = []): Promise<T> {
    const number = this.count++;
    return new Promise<T>((heard, failed) => {
      this.open.set(number, { heard, failed });
      this.worker.postMessage({ ...question, number }, moved);
    });
  }
}
