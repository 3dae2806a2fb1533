/** What is said of places, and what came of it. */

import { KINDS, type Color, type Kind } from "../../../frontend/src/index";
import { Button, Swatch } from "../../../frontend/app/parts/controls";
import { Icon } from "../../../frontend/app/parts/icons";
import { number, t } from "../../../frontend/app/words";
import { arm, armed, cameOf, guide, removePoint, said, stops, targetColor, toldHere } from "../store";

const LEAST_LEFT = 0.5;

export function Points() {
  const seen = toldHere.value?.seen ?? [];
  return (
    <>
      <div class="words" role="group" aria-label={t("points.say")}>
        {KINDS.map((kind) => <Word key={kind} kind={kind} />)}
      </div>
      {armed.value?.is === "target" && (
        <label class="row">
          {t("points.color")}
          <input type="color" value={targetColor.value} onInput={(event) => (targetColor.value = event.currentTarget.value)} />
        </label>
      )}
      {armed.value?.is === "brightness" && (
        <label class="row">
          {t("points.stops")}
          <input
            type="number"
            min={-8}
            max={8}
            step={0.1}
            value={stops.value}
            onInput={(event) => {
              const typed = event.currentTarget.valueAsNumber;
              if (Number.isFinite(typed)) stops.value = typed;
            }}
          />
        </label>
      )}
      {seen.length === 0 && <p class="quiet">{t("points.none")}</p>}
      <ol class="points">
        {seen.map((one, i) => <Said key={one.number} place={i} />)}
      </ol>
      {said.value.size > 0 && <Button icon="download" kind="quiet" onClick={save}>{t("live.guide")}</Button>}
    </>
  );
}

function Word({ kind }: { kind: Kind }) {
  return (
    <button
      type="button"
      class="word"
      aria-pressed={armed.value?.is === kind}
      title={t(`word.${kind}.help`)}
      onClick={() => arm(kind)}
    >
      <Icon name={kind} />
      <span>{t(`word.${kind}`)}</span>
    </button>
  );
}

function Said({ place }: { place: number }) {
  const seen = toldHere.value?.seen[place];
  const came = cameOf.value[place];
  if (!seen || !came) return null;
  const levels = (color: Color): number[] => color.map((value) => 255 * value);
  const left = came.levelsLeft;
  return (
    <li class="point">
      <div class="row between">
        <span><b class="badge">{seen.number}</b> {t("live.point.of", { word: t(`word.${seen.point.is}`), at: seen.point.at.join(", ") })}</span>
        <Button icon="trash" kind="quiet" title={t("points.remove", { number: seen.number })} onClick={() => removePoint(place)} />
      </div>
      <div class="came">
        <Swatch color={levels(came.composite)} label={t("points.was")} />
        <Icon name="goto" />
        <Swatch color={levels(came.got)} label={t("points.got")} />
        <span class="left">{left < LEAST_LEFT ? t("points.met") : t("points.left", { levels: number(left, 1) })}</span>
        {came.clipped && <p class="note">{t("points.clipped")}</p>}
        {came.contradicts !== null && <p class="note">{t("points.contradicts", { other: came.contradicts })}</p>}
      </div>
    </li>
  );
}

/** What was said, as the program's `--guide` takes it. */
function save(): void {
  const file = new Blob([JSON.stringify(guide(), null, 1)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = "guide.json";
  link.click();
  URL.revokeObjectURL(link.href);
}
