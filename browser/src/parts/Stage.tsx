/** The picture, before and after: wiped, pointed at, painted on. */

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { MODES, Renderer, clip as clamp, type Layer, type Place } from "../../../frontend/src/index";
import { Segments } from "../../../frontend/app/parts/controls";
import { canvasAt, layOut, placeAt, type Layout } from "../../../frontend/app/parts/viewing";
import { t } from "../../../frontend/app/words";
import { armed, change, clicked, clip, harmonized, isPainting, mode, paint, shown, toldHere, wipe } from "../store";
import { asTexture } from "../video/write";

const GROUND = { dark: 0.067, light: 0.46 } as const;
const STEP = 0.02;

export function Stage() {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const renderer = useRef<Renderer | null>(null);
  const size = useSignal({ width: 1, height: 1, ratio: 1 });
  const hasGraphics = useSignal(true);

  useEffect(() => {
    try {
      renderer.current = new Renderer(canvas.current!);
    } catch {
      hasGraphics.value = false;
      return undefined;
    }
    const watcher = new ResizeObserver(() => {
      const ratio = devicePixelRatio || 1;
      const { clientWidth, clientHeight } = box.current!;
      size.value = { width: Math.round(clientWidth * ratio), height: Math.round(clientHeight * ratio), ratio };
    });
    watcher.observe(box.current!);
    return () => watcher.disconnect();
  }, []);

  const layout = (): Layout | null => {
    const open = clip.value;
    if (!open) return null;
    const looked = harmonized.value ? mode.value : "before";
    return layOut(size.value, open, looked, null, [0, 0], size.value.ratio);
  };

  useSignalEffect(() => {
    const [now, draw, made] = [shown.value, renderer.current, change.value];
    const { width, height } = size.value;
    const lay = layout();
    if (!now || !draw || !lay) return;
    const surface = canvas.current!;
    [surface.width, surface.height] = [width, height];
    draw.setFrame(now.pixels);
    const matte = asTexture(now.matte, now.pixels.width, now.pixels.height);
    const layers: Layer[] = made ? [{ matte, change: made }] : [];
    draw.render(layers, matte);
    const theme = document.documentElement.dataset["theme"] === "light" ? "light" : "dark";
    const ground = GROUND[theme];
    draw.show({
      mode: harmonized.value ? mode.value : "before",
      wipe: wipe.value,
      gain: 4,
      showMatte: isPainting.value,
      scale: lay.scale,
      pixels: false,
      offset: lay.offset,
      ground: [ground, ground, ground],
    });
  });

  const placeOf = (event: PointerEvent): Place | null => {
    const lay = layout();
    if (!lay) return null;
    const corner = box.current!.getBoundingClientRect();
    return placeAt(lay, event.clientX - corner.left, event.clientY - corner.top, size.value.ratio);
  };
  const isWiping = (): boolean => harmonized.value !== null && mode.value === "wipe" && !armed.value;
  const drag = (event: PointerEvent): void => {
    const at = placeOf(event);
    const open = clip.value;
    if (!at || !open || event.buttons === 0) return;
    if (isPainting.value) paint(at);
    else if (isWiping()) wipe.value = clamp(at[0] / open.width);
  };
  const down = (event: PointerEvent): void => {
    const at = placeOf(event);
    const open = clip.value;
    if (!at || !open || event.button !== 0) return;
    const isInside = at[0] >= 0 && at[1] >= 0 && at[0] < open.width && at[1] < open.height;
    if (armed.value && isInside) clicked([Math.floor(at[0]), Math.floor(at[1])]);
    else {
      box.current!.setPointerCapture(event.pointerId);
      drag(event);
    }
  };

  if (!hasGraphics.value) return <p class="problem" role="alert">{t("live.no-graphics")}</p>;
  return (
    <>
      <div
        ref={box}
        class={`stage ${shown.value ? "" : "empty"} ${armed.value ? "armed" : ""} ${isWiping() ? "wiping" : ""}`}
        data-frame={shown.value?.index}
        onPointerDown={down}
        onPointerMove={drag}
      >
        <canvas ref={canvas} role="img" aria-label={t("viewer.name", { frame: (shown.value?.index ?? 0) + 1 })} />
        {harmonized.value && mode.value === "wipe" && <Wipe layout={layout()} ratio={size.value.ratio} />}
        {harmonized.value && <Marks layout={layout()} ratio={size.value.ratio} />}
        {armed.value && <Hint />}
        {!shown.value && <p class="quiet">{t("live.empty")}</p>}
      </div>
      {harmonized.value && (
        <Segments
          label={t("mode")}
          value={mode.value}
          choices={MODES.map((value) => ({ value, label: t(`mode.${value}`), icon: value }))}
          iconsOnly
          onChange={(value) => (mode.value = value)}
        />
      )}
    </>
  );
}

/** The wipe as a slider for keys; the pointer drags it anywhere in the picture. */
function Wipe({ layout, ratio }: { layout: Layout | null; ratio: number }) {
  const open = clip.value;
  if (!layout || !open) return null;
  const [x, top] = canvasAt(layout, [wipe.value * open.width, 0], ratio, 0);
  const bottom = canvasAt(layout, [0, open.height], ratio, 0)[1];
  const step = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -STEP, ArrowRight: STEP, Home: -1, End: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    wipe.value = clamp(wipe.value + by);
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
      style={{ left: `${x}px`, top: `${top}px`, height: `${bottom - top}px` }}
      onKeyDown={step}
    >
      <i />
    </div>
  );
}

/** Where points were said in the frame that is shown. */
function Marks({ layout, ratio }: { layout: Layout | null; ratio: number }) {
  const seen = toldHere.value?.seen ?? [];
  if (!layout) return null;
  return (
    <>
      {seen.map(({ point, number }) => {
        if (point.frame !== shown.value?.index) return null;
        const [x, y] = canvasAt(layout, point.at, ratio, 0);
        return <b key={number} class="mark" style={{ left: `${x}px`, top: `${y}px` }}>{number}</b>;
      })}
    </>
  );
}

function Hint() {
  const { is, at } = armed.value!;
  const needsGoal = is === "match" || is === "hue";
  return <p class="hint" role="status">{t(at ? "arm.goal" : needsGoal ? `arm.${is}` : "arm.place")}</p>;
}
