/** The time line: thumbnails, shots, points, the playhead; and the transport below the picture. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { clip } from "../../src/index";
import { address } from "../api";
import {
  frame,
  isScrubbing,
  lastFrame,
  pause,
  playedRate,
  seek,
  speed,
  stepBy,
  togglePlay,
} from "../store/playhead";
import { guide, isOpen, project, shots } from "../store/project";
import { chosenPoint } from "../store/view";
import { number, t, timecode } from "../text";
import { Button } from "../../src/page/controls";

const THUMB_WIDTH = 112;

export function Timeline() {
  const strip = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  useEffect(() => {
    const watcher = new ResizeObserver(() => (width.value = strip.current?.clientWidth ?? 0));
    watcher.observe(strip.current!);
    return () => watcher.disconnect();
  }, []);
  const open = project.value;
  if (!open) return null;
  const frames = lastFrame.value + 1;
  const share = (at: number): string => `${(100 * at) / frames}%`;

  const scrub = (event: PointerEvent): void => {
    const element = strip.current!;
    if (event.type === "pointerdown") {
      pause();
      element.setPointerCapture(event.pointerId);
      isScrubbing.value = true;
    }
    if (!element.hasPointerCapture(event.pointerId)) return;
    const { left, width: total } = element.getBoundingClientRect();
    seek(Math.floor(clip((event.clientX - left) / total) * frames));
  };
  const key = (event: KeyboardEvent): void => {
    const fps = Math.round(open.fps ?? 25);
    const by = { PageUp: -fps, PageDown: fps }[event.key];
    if (!by) return;
    event.preventDefault();
    stepBy(by);
  };

  return (
    <section class="timeline" aria-label={t("timeline")}>
      <Transport />
      <div
        ref={strip}
        class="strip"
        role="slider"
        tabIndex={0}
        aria-label={t("timeline.frame")}
        aria-valuemin={0}
        aria-valuemax={lastFrame.value}
        aria-valuenow={frame.value}
        aria-valuetext={timecode(frame.value, open.fps ?? 25)}
        onPointerDown={scrub}
        onPointerMove={scrub}
        onPointerUp={() => (isScrubbing.value = false)}
        onPointerCancel={() => (isScrubbing.value = false)}
        onKeyDown={key}
      >
        <Thumbnails id={open.id} frames={frames} width={width.value} />
        <div class="shots">
          {shots.value.map((row) => (
            <span
              key={row.shot}
              class={row.shot % 2 ? "odd" : ""}
              style={{ left: share(row.first), width: share(row.last + 1 - row.first) }}
            >
              {shots.value.length > 1 ? t("timeline.shot", { number: row.shot + 1 }) : ""}
            </span>
          ))}
        </div>
        {open.progress.maps < 1 && (
          <span class="reading" style={{ width: `${100 * open.progress.maps}%` }} />
        )}
        <i class="playhead" style={{ left: share(frame.value + 0.5) }} />
      </div>
      <Diamonds share={share} />
    </section>
  );
}

/** Points and choices, where they were said. */
function Diamonds({ share }: { share: (at: number) => string }) {
  return (
    <div class="said">
      {guide.value.points.map((point, i) => (
        <button
          key={i}
          type="button"
          class={`diamond ${chosenPoint.value === i ? "chosen" : ""}`}
          style={{ left: share(point.frame + 0.5) }}
          aria-label={t("timeline.point", { number: i + 1, frame: point.frame })}
          title={t("timeline.point", { number: i + 1, frame: point.frame })}
          onClick={() => {
            pause();
            seek(point.frame);
            chosenPoint.value = i;
          }}
        >
          {i + 1}
        </button>
      ))}
    </div>
  );
}

function Thumbnails({ id, frames, width }: { id: string; frames: number; width: number }) {
  const count = Math.max(1, Math.min(frames, Math.round(width / THUMB_WIDTH)));
  const at = (i: number): number => Math.min(frames - 1, Math.floor(((i + 0.5) * frames) / count));
  // One after the other: a browser has few connections, and what is looked at comes first.
  const loaded = useSignal(new Set<string>());
  const came = (path: string): void => void (loaded.value = new Set([...loaded.value, path]));
  const of = project.value?.openings ?? 0; // after another placement or mask the same frames look otherwise
  const paths = Array.from({ length: count }, (_, i) => `${address.frame(id, at(i), "thumb", "fast")}&of=${of}`);
  const next = paths.findIndex((path) => !loaded.value.has(path));
  return (
    <div class="thumbnails" aria-hidden="true">
      {width > 0 &&
        isOpen.value &&
        paths.map((path, i) => {
          const isAsked = next < 0 || i <= next || loaded.value.has(path);
          const end = (): void => came(path);
          return <img key={path} src={isAsked ? path : undefined} alt="" onLoad={end} onError={end} draggable={false} />;
        })}
    </div>
  );
}

/** The frames that hold points, in order; before and after the one that is shown. */
export function pointFrames(): number[] {
  return [...new Set(guide.value.points.map((point) => point.frame))].sort((a, b) => a - b);
}

export function toPoint(direction: 1 | -1): void {
  const frames = pointFrames();
  const next = direction > 0
    ? frames.find((at) => at > frame.value)
    : frames.findLast((at) => at < frame.value);
  if (next === undefined) return;
  pause();
  seek(next);
  chosenPoint.value = guide.value.points.findIndex((point) => point.frame === next);
}

function Transport() {
  const open = project.value!;
  const fps = open.fps ?? 25;
  return (
    <div class="transport" role="group" aria-label={t("transport")}>
      <span class="timecode" aria-live="off">
        {timecode(frame.value, fps)} <span class="quiet">{t("transport.frame", { frame: frame.value, last: lastFrame.value })}</span>
      </span>
      <span class="buttons">
        <Button icon="toStart" kind="quiet" title={t("transport.start")} keys="Home" onClick={() => { pause(); seek(0); }} />
        <Button icon="stepBack" kind="quiet" title={t("transport.back")} keys="←" onClick={() => stepBy(-1)} />
        <Button
          icon={speed.value ? "pause" : "play"}
          class="play"
          title={t(speed.value ? "transport.pause" : "transport.play")}
          keys={t("key.space")}
          onClick={togglePlay}
        />
        <Button icon="stepOn" kind="quiet" title={t("transport.on")} keys="→" onClick={() => stepBy(1)} />
        <Button icon="toEnd" kind="quiet" title={t("transport.end")} keys="End" onClick={() => { pause(); seek(lastFrame.value); }} />
      </span>
      <span class="rate quiet">
        {speed.value ? `${speed.value < 0 || Math.abs(speed.value) > 1 ? `${speed.value}× · ` : ""}${t("transport.rate", { rate: playedRate.value })}` : t("transport.fps", { fps: number(fps, 3) })}
      </span>
    </div>
  );
}
