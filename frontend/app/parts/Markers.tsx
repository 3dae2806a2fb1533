/** Points on the picture: told apart by number and form, and dragged. */

import { useRef } from "preact/hooks";
import type { Place, Point } from "../../src/index";
import { answer } from "../store/answers";
import { frame } from "../store/playhead";
import { guide, project } from "../store/project";
import { armed, chosenPoint, mode } from "../store/view";
import { t } from "../text";
import { changePoint, removePoint } from "./pointing";
import { canvasAt, type Layout } from "../../src/page/viewing";

interface Props {
  layout: Layout;
  ratio: number;
  placeOf: (event: PointerEvent) => Place | null;
}

export function Markers({ layout, ratio, placeOf }: Props) {
  const panes = mode.value === "sides" ? [0, 1] : [0];
  const pending = armed.value?.at;
  return (
    <div class="markers">
      {panes.map((pane) => (
        <svg key={pane} aria-hidden="true">
          {guide.value.points.map((point, i) => (
            <Link key={i} point={point} layout={layout} ratio={ratio} pane={pane} />
          ))}
        </svg>
      ))}
      {panes.map((pane) =>
        guide.value.points.map((point, i) => (
          <Marker key={`${pane}.${i}`} index={i} point={point} {...{ layout, ratio, placeOf, pane }} />
        )),
      )}
      {pending && pending.frame === frame.value && (
        <Pin at={canvasAt(layout, pending.place, ratio, panes.length - 1)} />
      )}
    </div>
  );
}

function Pin({ at }: { at: Place }) {
  return <i class="pin" style={{ left: `${at[0]}px`, top: `${at[1]}px` }} />;
}

interface Drawn {
  point: Point;
  layout: Layout;
  ratio: number;
  pane: number;
}

/** From a place to the one that it takes after. */
function Link({ point, layout, ratio, pane }: Drawn) {
  const isHere = point.frame === frame.value && (point.to_frame ?? point.frame) === frame.value;
  if (!isHere || !Array.isArray(point.to)) return null;
  const [from, to] = [canvasAt(layout, point.at, ratio, pane), canvasAt(layout, point.to, ratio, pane)];
  const points = { x1: from[0], y1: from[1], x2: to[0], y2: to[1] };
  return (
    <>
      <line class="shade" {...points} />
      <line class="dash" {...points} />
    </>
  );
}

function Marker(props: Drawn & { index: number; placeOf: Props["placeOf"] }) {
  const { point, index, layout, ratio, pane, placeOf } = props;
  const isHere = point.frame === frame.value;
  const goalFrame = point.to_frame ?? point.frame;
  return (
    <>
      {isHere && (
        <Handle {...{ index, placeOf }} at={canvasAt(layout, point.at, ratio, pane)} name="at" kind={point.is} />
      )}
      {Array.isArray(point.to) && goalFrame === frame.value && (
        <Handle {...{ index, placeOf }} at={canvasAt(layout, point.to, ratio, pane)} name="to" kind={point.is} />
      )}
    </>
  );
}

function Handle(props: {
  index: number;
  at: Place;
  name: "at" | "to";
  kind: string;
  placeOf: Props["placeOf"];
}) {
  const { index, name, at } = props;
  const drags = useRef(false);
  const isChosen = chosenPoint.value === index;
  const isWrong = answer.value?.errors.some((one) => one.point === index + 1) ?? false;
  const moved = (event: PointerEvent): void => {
    event.stopPropagation();
    const handle = event.currentTarget as HTMLElement;
    if (event.type === "pointerdown") {
      handle.setPointerCapture(event.pointerId);
      chosenPoint.value = index;
      drags.current = false;
    }
    if (!handle.hasPointerCapture(event.pointerId) || event.type !== "pointermove") return;
    const place = props.placeOf(event);
    if (!place) return;
    drags.current = true;
    const within = (at: number, size: number | null): number => Math.max(0, Math.min((size ?? Infinity) - 1, Math.floor(at)));
    const { width, height } = project.value!;
    changePoint(index, { [name]: [within(place[0], width), within(place[1], height)] });
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key !== "Delete" && event.key !== "Backspace") return;
    event.stopPropagation();
    removePoint(index);
  };
  const said = t(name === "at" ? "marker.point" : "marker.goal", {
    number: index + 1,
    kind: t(`word.${props.kind}`),
  });
  return (
    <button
      type="button"
      class={`marker ${name} ${isChosen ? "chosen" : ""} ${isWrong ? "wrong" : ""}`}
      style={{ left: `${at[0]}px`, top: `${at[1]}px` }}
      aria-label={said}
      title={said}
      tabIndex={name === "at" ? 0 : -1}
      onPointerDown={moved}
      onPointerMove={moved}
      onPointerUp={(event) => event.stopPropagation()}
      onFocus={() => (chosenPoint.value = index)}
      onKeyDown={key}
    >
      {name === "at" ? index + 1 : ""}
    </button>
  );
}
