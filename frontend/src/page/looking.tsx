/** The picture in its canvas: the GPU that draws it, the wipe, what the next click says. */

import { useSignal, type Signal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { NoGraphics, Renderer, clip, type Kind } from "../index";
import { canvasAt, placeAt, type Layout } from "./viewing";
import { takesPlace } from "./saying";
import { t } from "./words";

const GROUND = { dark: 0.067, light: 0.46 } as const;
const STEP = 0.02;

export type Theme = keyof typeof GROUND;

/** What lies around the picture. */
export function groundOf(theme: Theme): [number, number, number] {
  return [GROUND[theme], GROUND[theme], GROUND[theme]];
}

export interface Graphics {
  box: RefObject<HTMLDivElement | null>;
  canvas: RefObject<HTMLCanvasElement | null>;
  /** Null where there is no WebGL2; another one after the graphics were lost. */
  renderer: RefObject<Renderer | null>;
  /** Of the box in pixels of the device, and how many there are to one of CSS. */
  size: Signal<{ width: number; height: number; ratio: number }>;
  /** Why nothing can be drawn: there is no WebGL2, or the graphics were lost for a moment. */
  trouble: Signal<"" | "none" | "lost">;
}

/** A canvas in a box, drawn by the GPU. */
export function useGraphics(): Graphics {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const renderer = useRef<Renderer | null>(null);
  const size = useSignal({ width: 1, height: 1, ratio: 1 });
  const trouble = useSignal<"" | "none" | "lost">("");
  useEffect(() => {
    const begin = (): void => {
      try {
        renderer.current = new Renderer(canvas.current!);
        trouble.value = "";
      } catch (error) {
        if (!(error instanceof NoGraphics)) throw error;
        trouble.value = "none";
      }
    };
    begin();
    const lost = (event: Event): void => {
      event.preventDefault();
      trouble.value = "lost";
    };
    const surface = canvas.current!;
    surface.addEventListener("webglcontextlost", lost);
    surface.addEventListener("webglcontextrestored", begin);
    // The element is held here: it leaves the page, and its ref, before the observer does.
    const surroundings = box.current!;
    const watcher = new ResizeObserver(() => {
      const ratio = devicePixelRatio || 1;
      const { clientWidth, clientHeight } = surroundings;
      size.value = { width: Math.round(clientWidth * ratio), height: Math.round(clientHeight * ratio), ratio };
    });
    watcher.observe(surroundings);
    return () => {
      watcher.disconnect();
      surface.removeEventListener("webglcontextlost", lost);
      surface.removeEventListener("webglcontextrestored", begin);
      renderer.current?.dispose(); // a browser has few of them, and takes the oldest one away
      renderer.current = null;
    };
  }, []);
  return { box, canvas, renderer, size, trouble };
}

/** The wipe as a slider, for keys and for the pointer. */
export function WipeHandle(props: {
  layout: Layout;
  ratio: number;
  picture: { width: number; height: number };
  wipe: Signal<number>;
}) {
  const { layout, ratio, picture, wipe } = props;
  const [x, top] = canvasAt(layout, [wipe.value * picture.width, 0], ratio, 0);
  const bottom = canvasAt(layout, [0, picture.height], ratio, 0)[1];
  const step = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -STEP, ArrowRight: STEP, Home: -1, End: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    wipe.value = clip(wipe.value + by);
  };
  const drag = (event: PointerEvent): void => {
    const handle = event.currentTarget as HTMLElement;
    event.stopPropagation();
    if (event.type === "pointerdown") handle.setPointerCapture(event.pointerId);
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const corner = handle.parentElement!.getBoundingClientRect();
    wipe.value = clip(placeAt(layout, event.clientX - corner.left, 0, ratio)[0] / picture.width);
  };
  return (
    <div
      class="wipe"
      role="slider"
      tabIndex={0}
      aria-label={t("viewer.wipe")}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(100 * wipe.value)}
      style={{ left: `${x}px`, top: `${Math.max(0, top)}px`, height: `${bottom - Math.max(0, top)}px` }}
      onKeyDown={step}
      onPointerDown={drag}
      onPointerMove={drag}
    >
      <i />
    </div>
  );
}

/** What the next click is to say, and how that is left where a page has keys. */
export function ArmedHint({ is, hasFirst, escape }: { is: Kind; hasFirst: boolean; escape?: boolean }) {
  const key = hasFirst ? "arm.goal" : takesPlace(is) ? `arm.${is}` : "arm.place";
  return (
    <p class="hint" role="status">
      {t(key)} {escape && <span class="quiet">{t("arm.escape")}</span>}
    </p>
  );
}
