/** What was said of places, and what came of it. */

import { type Kind, type Point } from "../../src/index";
import { answer } from "../store/answers";
import { pause, seek } from "../store/playhead";
import { edit, guide, shots } from "../store/project";
import { armed, chosenPoint, stops, targetColor } from "../store/view";
import { explained, number, signed, t } from "../text";
import type { Levels, PointRow } from "../types";
import { Button } from "../../src/page/controls";
import { Icon } from "../../src/page/icons";
import { Came, Stops, TargetColor, Words } from "../../src/page/saying";
import { arm, changePoint, removePoint } from "./pointing";

export function Points() {
  const points = guide.value.points;
  return (
    <>
      <Words keys said={armed.value?.is} onSay={arm} />
      {armed.value?.is === "target" && <TargetColor value={targetColor.value} onInput={(v) => (targetColor.value = v)} />}
      {armed.value?.is === "brightness" && <Stops value={stops.value} onInput={(v) => (stops.value = v)} />}
      {points.length === 0 && !armed.value && <p class="quiet">{t("points.none")}</p>}
      <ol class="points">
        {points.map((point, i) => (
          <PointCard key={i} point={point} index={i} />
        ))}
      </ol>
      {points.length > 0 && shots.value.length > 1 && (
        <label class="check">
          <input
            type="checkbox"
            checked={guide.value.shots === "all"}
            onChange={(event) =>
              edit("edit.shots", { guide: { shots: event.currentTarget.checked ? "all" : "this" } })
            }
          />
          {t("points.all-shots")}
        </label>
      )}
    </>
  );
}

function PointCard({ point, index }: { point: Point; index: number }) {
  const row = answer.value?.points.find((one) => one.point === index + 1) ?? null;
  const wrong = answer.value?.errors.find((one) => one.point === index + 1) ?? null;
  const isChosen = chosenPoint.value === index;
  const go = (): void => {
    pause();
    seek(point.frame);
    chosenPoint.value = index;
  };
  return (
    <li class={`point ${isChosen ? "chosen" : ""}`}>
      <div class="row between">
        <button type="button" class="title" aria-pressed={isChosen} onClick={go} title={t("points.go")}>
          <b class="badge">{index + 1}</b>
          <Icon name={point.is} />
          <span>{t(`word.${point.is}`)}{goalText(point)}</span>
          <span class="quiet">{t("points.frame", { frame: point.frame })}</span>
        </button>
        <Button icon="trash" kind="quiet" title={t("points.remove", { number: index + 1 })} onClick={() => removePoint(index)} />
      </div>
      {wrong && (
        <p class="problem">
          <Icon name="warning" /> {explained(wrong, "points.wrong")}
        </p>
      )}
      {row && (
        <Came
          was={row.composite}
          got={row.got}
          asked={wantedOf(row, point)}
          left={row.levels_left}
          clipped={row.clipped}
          contradicts={row.contradicts}
        />
      )}
      {isChosen && <Details point={point} index={index} />}
    </li>
  );
}

function goalText(point: Point): string {
  if (typeof point.to === "string") return ` ${point.to}`;
  if (typeof point.to === "number") return ` ${t("points.by-stops", { stops: signed(point.to, 1) })}`;
  return "";
}

function wantedOf(row: PointRow, point: Point): Levels | null {
  if (row.goal) return row.goal;
  return point.is === "keep" ? row.composite : null;
}

function Details({ point, index }: { point: Point; index: number }) {
  const weight = point.weight ?? 1;
  return (
    <div class="details">
      {typeof point.to === "number" && (
        <Stops value={point.to} onInput={(to) => changePoint(index, { to })} />
      )}
      {typeof point.to === "string" && (
        <TargetColor value={point.to} onInput={(to) => changePoint(index, { to })} />
      )}
      <label class="row">
        {t("points.kind")}
        <select
          value={point.is}
          onChange={(event) => changePoint(index, { is: event.currentTarget.value as Kind })}
        >
          {kindsFor(point).map((kind) => (
            <option key={kind} value={kind}>{t(`word.${kind}`)}</option>
          ))}
        </select>
      </label>
      <label class="row">
        {t("points.weight")}
        <input
          type="range"
          min={-2}
          max={2}
          step={0.5}
          value={Math.log2(weight)}
          aria-valuetext={`${number(weight)}×`}
          onInput={(event) => changePoint(index, { weight: 2 ** event.currentTarget.valueAsNumber })}
        />
        <code>{number(weight)}×</code>
      </label>
    </div>
  );
}

/** Kinds that a point may become without being said anew. */
function kindsFor(point: Point): Kind[] {
  if (Array.isArray(point.to)) return ["match", "brightness", "hue"];
  if (typeof point.to === "string") return ["target", "brightness", "hue"];
  if (typeof point.to === "number") return ["brightness"];
  return ["keep", "neutral"];
}
