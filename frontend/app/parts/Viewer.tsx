/** The picture: drawn by the GPU, wiped, zoomed, pointed at. */

import { effect, useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Renderer, clip, hexOf, type Layer, type Place } from "../../src/index";
import { ArmedHint, WipeHandle, groundOf, useGraphics } from "../../src/page/looking";
import { address, api } from "../api";
import { changes, isAsking } from "../store/answers";
import { drawnScale, frame, isLoading, shown, speed, type Shown } from "../store/playhead";
import { reachOf } from "../store/pictures";
import { currentObject, isOpen, project } from "../store/project";
import { complain, theme } from "../store/session";
import { armed, center, gain, mode, showMatte, showPoints, wipe, zoom } from "../store/view";
import { number, t } from "../text";
import type { PixelAnswer } from "../types";
import { Markers } from "./Markers";
import { Plain } from "./Plain";
import { clickedAt } from "./pointing";
import { layOut, placeAt, type Layout } from "../../src/page/viewing";
import { publish } from "./Scopes";

const ZOOM_LEAST = 0.05;
const ZOOM_MOST = 32;

/** What lies under the pointer. */
interface Under {
  place: Place;
  before: readonly number[];
  after: readonly number[];
}

export function Viewer() {
  const { box, canvas, renderer, size, trouble } = useGraphics();
  const under = useSignal<Under | null>(null);
  const exact = useSignal<PixelAnswer | null>(null);

  const layout = useComputed<Layout | null>(() => {
    const open = project.value;
    if (!open?.width || !open.height) return null;
    const picture = { width: open.width, height: open.height };
    return layOut(size.value, picture, mode.value, zoom.value, center.value, size.value.ratio);
  });

  // A frame comes; then what is done to it; then how it is looked at. What comes first is seen to
  // by all that follows from it, as effects of several signals run in no order of their own.
  const drawn = useRef<{ by: Renderer; now: Shown; made: typeof changes.value; object: number } | null>(null);
  const rendered = (): { draw: Renderer; now: Shown } | null => {
    const [now, made, object] = [shown.value, changes.value, currentObject.value];
    const isLost = trouble.value !== "";
    const draw = renderer.current;
    if (!now || !draw || isLost) return null;
    const last = drawn.current;
    const isNew = last?.by !== draw || last.now !== now;
    if (isNew) draw.setFrame(now.bitmap);
    if (isNew || last.made !== made || last.object !== object) {
      const layers: Layer[] = [];
      made.forEach((change, i) => {
        const matte = now.mattes[i]; // not there yet where who moves was told after the frame came
        if (change && matte) layers.push({ matte, change, reach: reachOf(matte) });
      });
      draw.render(layers, now.mattes[object - 1]);
      drawn.current = { by: draw, now, made, object };
    }
    return { draw, now };
  };
  // At once, not after the browser's next frame, as `useSignalEffect` would: where the page is drawn
  // by software, each frame of it takes as long as what is drawn here.
  useEffect(() => effect(() => {
    const done = rendered();
    if (done) publish(done.draw, done.now);
  }), []);
  useEffect(() => effect(() => {
    const isLost = trouble.value !== "";
    rendered();
    const [lay, draw, open] = [layout.value, renderer.current, project.value];
    const { width, height } = size.value;
    const surface = canvas.current;
    if (!lay || !draw || !surface || !open?.width || isLost) return;
    if (surface.width !== width || surface.height !== height) {
      surface.width = width;
      surface.height = height;
    }
    const texture = draw.frameSize;
    draw.show({
      mode: mode.value,
      wipe: wipe.value,
      gain: gain.value,
      showMatte: showMatte.value,
      scale: (lay.scale * open.width) / texture.width,
      pixels: zoom.value !== null && zoom.value >= 2,
      offset: lay.offset,
      ground: groundOf(theme.value),
    });
    drawnScale.value = lay.scale;
  }), []);

  useZooming(box, layout, size);
  const drag = useRef<{ kind: "wipe" | "pan"; x: number; y: number; center: Place; moved: boolean } | null>(null);

  const placeOf = (event: PointerEvent | MouseEvent): Place | null => {
    const corner = box.current!.getBoundingClientRect();
    const lay = layout.value;
    return lay && placeAt(lay, event.clientX - corner.left, event.clientY - corner.top, size.value.ratio);
  };

  const down = (event: PointerEvent): void => {
    if (event.button > 1) return;
    box.current!.setPointerCapture(event.pointerId);
    const at = { x: event.clientX, y: event.clientY, center: center.value, moved: false };
    const isWiping = mode.value === "wipe" && !armed.value && event.button === 0 && !zoomedIn();
    drag.current = { kind: isWiping ? "wipe" : "pan", ...at };
    if (isWiping) moveWipe(event);
  };
  const zoomedIn = (): boolean => zoom.value !== null;
  const moveWipe = (event: PointerEvent): void => {
    const place = placeOf(event);
    if (place) wipe.value = clip(place[0] / (project.value?.width ?? 1));
  };
  const move = (event: PointerEvent): void => {
    const now = drag.current;
    if (!now) return look(event);
    if (Math.hypot(event.clientX - now.x, event.clientY - now.y) > 4) now.moved = true;
    if (now.kind === "wipe") moveWipe(event);
    else if (now.moved && zoom.value !== null) {
      center.value = [
        now.center[0] - (event.clientX - now.x) / zoom.value,
        now.center[1] - (event.clientY - now.y) / zoom.value,
      ];
    }
  };
  const up = (event: PointerEvent): void => {
    const now = drag.current;
    drag.current = null;
    if (now && !now.moved && armed.value && event.button === 0) {
      const place = placeOf(event);
      if (place) clickedAt(place);
    }
  };

  const timer = useRef(0);
  const look = (event: PointerEvent): void => {
    const place = placeOf(event);
    const [draw, open] = [renderer.current, project.value];
    exact.value = null;
    window.clearTimeout(timer.current);
    if (!place || !draw || !open?.width || !isInside(place)) {
      under.value = null;
      return;
    }
    const scale = draw.frameSize.width / open.width;
    const [x, y] = [Math.floor(place[0] * scale), Math.floor(place[1] * scale)];
    under.value = { place, ...draw.pixel(x, y) };
    if (speed.value) return;
    timer.current = window.setTimeout(() => {
      api
        .pixel(open.id, frame.value, Math.floor(place[0]), Math.floor(place[1]))
        .then((found) => (exact.value = found))
        .catch(complain);
    }, 160);
  };

  const name = t("viewer.name", { frame: frame.value });
  return (
    <section class="viewer" aria-label={t("viewer")}>
      <div
        ref={box}
        data-frame={shown.value?.frame}
        data-ready={isOpen.value && shown.value?.exact && shown.value.frame === frame.value && !isAsking.value && !isLoading.value && trouble.value !== "lost"}
        class={`stage ${armed.value ? "armed" : ""} ${mode.value === "wipe" && !zoomedIn() && !armed.value ? "wiping" : ""}`}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerLeave={() => (under.value = null)}
        onDblClick={(event) => !armed.value && fitOrPixels(placeOf(event))}
      >
        <canvas ref={canvas} role="img" aria-label={name} />
        {layout.value && trouble.value === "" && (
          <>
            <Labels layout={layout.value} ratio={size.value.ratio} />
            {mode.value === "wipe" && <Wipe layout={layout.value} ratio={size.value.ratio} />}
            {showPoints.value && (
              <Markers layout={layout.value} ratio={size.value.ratio} placeOf={placeOf} />
            )}
          </>
        )}
        {trouble.value === "none" && <Plain />}
        {trouble.value === "lost" && <p class="over">{t("viewer.lost")}</p>}
        {!shown.value && project.value && project.value.state !== "failed" && (
          <img class="glance" src={address.glance(project.value)} alt={t("viewer.glance")} />
        )}
        {isLoading.value && !shown.value && <p class="over" role="status">{t("viewer.loading")}</p>}
        {armed.value && <ArmedHint escape is={armed.value.is} hasFirst={armed.value.at !== undefined} />}
      </div>
      <Readout under={under.value} exact={exact.value} scale={(layout.value?.scale ?? 1) / size.value.ratio} />
    </section>
  );
}

function isInside(place: Place): boolean {
  const open = project.value;
  const [x, y] = place;
  return x >= 0 && y >= 0 && x < (open?.width ?? 0) && y < (open?.height ?? 0);
}

type SizeSignal = { value: { width: number; height: number; ratio: number } };

/** The wheel zooms about the pointer; two fingers too. */
function useZooming(
  box: { current: HTMLDivElement | null },
  layout: { value: Layout | null },
  size: SizeSignal,
): void {
  useEffect(() => {
    const turn = (event: WheelEvent): void => {
      const lay = layout.value;
      if (!lay) return;
      event.preventDefault();
      const corner = box.current!.getBoundingClientRect();
      const { height, ratio } = size.value;
      const [x, y] = [event.clientX - corner.left, event.clientY - corner.top];
      const place = placeAt(lay, x, y, ratio);
      const before = lay.scale / ratio;
      const factor = Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015));
      const to = clip(before * factor, ZOOM_LEAST, ZOOM_MOST);
      const pane = (x * ratio) % lay.pane;
      zoom.value = to;
      center.value = [
        place[0] + (lay.pane / 2 - pane) / ratio / to,
        place[1] + (height / 2 - y * ratio) / ratio / to,
      ];
    };
    const element = box.current!;
    element.addEventListener("wheel", turn, { passive: false });
    return () => element.removeEventListener("wheel", turn);
  }, []);
}

/** Fit the picture in, or show it pixel for pixel about a place: else its middle. */
export function fitOrPixels(about: Place | null = null): void {
  const open = project.value;
  if (zoom.value === null && open?.width) {
    center.value = about ?? [open.width / 2, (open.height ?? 0) / 2];
    zoom.value = 1;
  } else {
    zoom.value = null;
  }
}

export function zoomBy(factor: number): void {
  const open = project.value;
  const ratio = devicePixelRatio || 1;
  if (zoom.value === null && open?.width) center.value = [open.width / 2, (open.height ?? 0) / 2];
  zoom.value = clip((zoom.value ?? drawnScale.value / ratio) * factor, ZOOM_LEAST, ZOOM_MOST);
}

function Labels({ layout, ratio }: { layout: Layout; ratio: number }) {
  if (mode.value !== "wipe" && mode.value !== "sides") return null;
  const top = Math.max(8, layout.offset[1] / ratio + 8);
  const left = Math.max(8, layout.offset[0] / ratio + 8);
  const right = mode.value === "sides" ? layout.pane / ratio + left : null;
  return (
    <>
      <span class="label" style={{ top: `${top}px`, left: `${left}px` }}>{t("before")}</span>
      <span
        class="label"
        style={right === null ? { top: `${top}px`, right: `${left}px` } : { top: `${top}px`, left: `${right}px` }}
      >
        {t("after")}
      </span>
    </>
  );
}

function Wipe({ layout, ratio }: { layout: Layout; ratio: number }) {
  const picture = { width: project.value?.width ?? 1, height: project.value?.height ?? 1 };
  return <WipeHandle {...{ layout, ratio, picture, wipe }} />;
}

function Readout(props: { under: Under | null; exact: PixelAnswer | null; scale: number }) {
  const { under, exact } = props;
  const levels = (color: readonly number[]): string => color.map((value) => String(value).padStart(3, " ")).join(" ");
  const hex = (color: readonly number[]): string =>
    hexOf([color[0]! / 255, color[1]! / 255, color[2]! / 255]);
  return (
    <p class="readout">
      <span>{under ? `${Math.floor(under.place[0])}, ${Math.floor(under.place[1])}` : "–"}</span>
      {under && (
        <>
          <span>
            <i class="chip" style={{ background: hex(under.before) }} />
            {t("before")} <code>{levels(under.before)}</code>
          </span>
          <span>
            <i class="chip" style={{ background: hex(under.after) }} />
            {t("after")} <code>{levels(under.after)}</code>
          </span>
        </>
      )}
      {under && exact && (
        <span class="quiet wide-only">
          {exact.planes} <code>{exact.code.join(" ")}</code> · {t("readout.bits", { bits: exact.bits })}
        </span>
      )}
      <span class="zoom">{t("percent", { value: number(100 * props.scale, 0) })}</span>
    </p>
  );
}
