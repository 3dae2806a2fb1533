/** Two layers: the foreground is dragged and scaled over the background; a matte is made for it. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { clip, type Place } from "../../src/index";
import { address } from "../api";
import { frame } from "../store/playhead";
import { edit, job, project, save } from "../store/project";
import { overlay } from "../store/view";
import { number, t } from "../text";
import { Button, Typed } from "../../src/page/controls";
import { MatteMaker } from "./MatteMaker";
import { Sheet } from "./Notices";

export function PlacementDialog() {
  const open = project.value;
  const position = useSignal<Place>(job.value.position ?? [0, 0]);
  const scale = useSignal(job.value.scale ?? 1);
  const natural = useSignal<{ width: number; height: number } | null>(null);
  const shown = useSignal(1);
  const board = useRef<HTMLDivElement>(null);
  const drag = useRef<{ kind: "move" | "scale"; x: number; y: number; position: Place; scale: number } | null>(null);

  const width = open?.width ?? 1;
  const height = open?.height ?? 1;
  useEffect(() => {
    const watcher = new ResizeObserver(() => (shown.value = (board.current?.clientWidth ?? width) / width));
    watcher.observe(board.current!);
    return () => watcher.disconnect();
  }, []);
  if (!open) return null;
  // Layers come at the scale of the preview: their size in pixels of the picture follows from it.
  const unscale = open.preview ? width / open.preview.width : 1;
  const size = natural.value && {
    width: natural.value.width * unscale * scale.value,
    height: natural.value.height * unscale * scale.value,
  };

  const begin = (kind: "move" | "scale") => (event: PointerEvent): void => {
    event.stopPropagation();
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    drag.current = { kind, x: event.clientX, y: event.clientY, position: position.value, scale: scale.value };
  };
  const move = (event: PointerEvent): void => {
    const now = drag.current;
    if (!now) return;
    const [dx, dy] = [(event.clientX - now.x) / shown.value, (event.clientY - now.y) / shown.value];
    if (now.kind === "move") position.value = [Math.round(now.position[0] + dx), Math.round(now.position[1] + dy)];
    else if (natural.value) {
      const before = natural.value.width * unscale;
      scale.value = Number(clip(now.scale + dx / before, 0.01, 20).toFixed(3));
    }
  };
  const end = (): void => void (drag.current = null);
  /** The wheel scales about the pointer. */
  const turn = (event: WheelEvent): void => {
    event.preventDefault();
    const corner = board.current!.getBoundingClientRect();
    const at: Place = [(event.clientX - corner.left) / shown.value, (event.clientY - corner.top) / shown.value];
    const before = scale.value;
    scale.value = Number(clip(before * Math.exp(-0.001 * event.deltaY), 0.01, 20).toFixed(3));
    const about = (place: number, axis: 0 | 1): number =>
      Math.round(at[axis] + ((place - at[axis]) * scale.value) / before);
    position.value = [about(position.value[0], 0), about(position.value[1], 1)];
  };
  const key = (event: KeyboardEvent): void => {
    const step = event.shiftKey ? 10 : 1;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (by) {
      event.preventDefault();
      position.value = [position.value[0] + by[0]!, position.value[1] + by[1]!];
    } else if (event.key === "+" || event.key === "-") {
      event.preventDefault();
      scale.value = Number((scale.value * (event.key === "+" ? 1.02 : 1 / 1.02)).toFixed(3));
    }
  };
  const apply = async (): Promise<void> => {
    edit("edit.placement", { job: { position: position.value, scale: scale.value } });
    await save();
    overlay.value = null;
  };
  const px = (value: number): string => `${value * shown.value}px`;
  // Of a foreground that goes on beyond the picture, the corner stays in reach.
  const within = (value: number): string => `clamp(.7rem, ${px(value)}, calc(100% - .7rem))`;
  return (
    <Sheet title={t("placement")}>
      <div
        ref={board}
        class="board"
        style={{ aspectRatio: `${width} / ${height}`, maxWidth: `calc(56vh * ${width / height})` }}
        onWheel={turn}
      >
        <img class="background" src={address.layer(open, "background", frame.value)} alt={t("placement.background")} />
        <div
          class="layer"
          role="group"
          tabIndex={0}
          aria-label={t("placement.layer", { x: position.value[0], y: position.value[1], scale: number(scale.value) })}
          style={{
            left: px(position.value[0]),
            top: px(position.value[1]),
            width: size ? px(size.width) : "auto",
            height: size ? px(size.height) : "auto",
          }}
          onPointerDown={begin("move")}
          onPointerMove={move}
          onPointerUp={end}
          onKeyDown={key}
        >
          <img
            src={address.layer(open, "foreground", frame.value)}
            alt=""
            draggable={false}
            onLoad={(event) => {
              const { naturalWidth, naturalHeight } = event.currentTarget;
              natural.value = { width: naturalWidth, height: naturalHeight };
            }}
          />
        </div>
        {size && (
          <i
            class="corner"
            style={{ left: within(position.value[0] + size.width), top: within(position.value[1] + size.height) }}
            onPointerDown={begin("scale")}
            onPointerMove={move}
            onPointerUp={end}
          />
        )}
      </div>
      <div class="row">
        <Figure label={t("placement.x")} value={position.value[0]} step={1} onInput={(x) => (position.value = [x, position.value[1]])} />
        <Figure label={t("placement.y")} value={position.value[1]} step={1} onInput={(y) => (position.value = [position.value[0], y])} />
        <Figure label={t("placement.scale")} value={scale.value} min={0.01} max={20} step={0.01} onInput={(to) => (scale.value = to)} />
      </div>
      <MatteMaker />
      <footer class="row end">
        <Button onClick={() => (overlay.value = null)}>{t("cancel")}</Button>
        <Button kind="primary" onClick={() => void apply()}>{t("placement.apply")}</Button>
      </footer>
    </Sheet>
  );
}

function Figure(props: {
  label: string;
  value: number;
  min?: number;
  max?: number;
  step: number;
  onInput: (value: number) => void;
}) {
  const { label, onInput, ...own } = props;
  return (
    <label class="field small">
      <span class="name">{label}</span>
      <Typed {...own} onChange={onInput} />
    </label>
  );
}
