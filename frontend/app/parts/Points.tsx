/** What was said of places, and what came of it. */

import { type Kind, type Point } from "../../src/index";
import { answer } from "../store/answers";
import { pause, seek } from "../store/playhead";
import { edit, guide, shots } from "../store/project";
import { armed, chosenPoint, stops, targetColor } from "../store/view";
import { explained, number, signed, t } from "../text";
import type { Levels, PointRow } from "../types";
import { Button, Swatch } from "./controls";
import { Icon } from "./icons";
import { WORDS, arm, changePoint, removePoint } from "./pointing";

export function Points() {
  const points = guide.value.points;
  return (
    <>
      <div class="words" role="group" aria-label={t("points.say")}>
        {WORDS.map(({ kind, icon, key }) => (
          <button
            key={kind}
            type="button"
            class="word"
            aria-pressed={armed.value?.is === kind}
            aria-keyshortcuts={key}
            title={`${t(`word.${kind}.help`)} (${key})`}
            onClick={() => arm(kind)}
          >
            <Icon name={icon} />
            <span>{t(`word.${kind}`)}</span>
          </button>
        ))}
      </div>
      {armed.value?.is === "target" && <TargetColor />}
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

function TargetColor() {
  return (
    <label class="row">
      {t("points.color")}
      <input
        type="color"
        value={targetColor.value}
        onInput={(event) => (targetColor.value = event.currentTarget.value)}
      />
      <code>{targetColor.value}</code>
    </label>
  );
}

function Stops({ value, onInput }: { value: number; onInput: (value: number) => void }) {
  return (
    <label class="row">
      {t("points.stops")}
      <input
        type="number"
        min={-8}
        max={8}
        step={0.1}
        value={value}
        onInput={(event) => {
          const typed = event.currentTarget.valueAsNumber;
          if (Number.isFinite(typed)) onInput(Math.min(8, Math.max(-8, typed)));
        }}
      />
    </label>
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
      {row && <Came row={row} point={point} />}
      {isChosen && <Details point={point} index={index} />}
    </li>
  );
}

function goalText(point: Point): string {
  if (typeof point.to === "string") return ` ${point.to}`;
  if (typeof point.to === "number") return ` ${t("points.by-stops", { stops: signed(point.to, 1) })}`;
  return "";
}

/** Asked and got, in color and in numbers. */
function Came({ row, point }: { row: PointRow; point: Point }) {
  const wanted = wantedOf(row, point);
  const left = number(row.levels_left, 1);
  return (
    <div class="came">
      <span>
        <Swatch color={row.composite} label={t("points.was")} />
        <small>{t("points.was")}</small>
      </span>
      <Icon name="goto" />
      <span>
        <Swatch color={row.got} label={t("points.got")} />
        <small>{t("points.got")}</small>
      </span>
      {wanted && (
        <span>
          <Swatch color={wanted} label={t("points.asked")} />
          <small>{t("points.asked")}</small>
        </span>
      )}
      <span class="left">
        {row.levels_left < 0.5 ? <><Icon name="check" /> {t("points.met")}</> : t("points.left", { levels: left })}
      </span>
      {row.clipped && (
        <p class="note"><Icon name="warning" /> {t("points.clipped")}</p>
      )}
      {row.contradicts !== null && (
        <p class="note"><Icon name="warning" /> {t("points.contradicts", { other: row.contradicts })}</p>
      )}
    </div>
  );
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
        <label class="row">
          {t("points.color")}
          <input type="color" value={point.to} onInput={(event) => changePoint(index, { to: event.currentTarget.value })} />
        </label>
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
