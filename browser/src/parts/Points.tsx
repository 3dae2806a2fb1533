/** What is said of places, and what came of it. */

import type { Color } from "../../../frontend/src/index";
import { Button } from "../../../frontend/src/page/controls";
import { Came, Stops, TargetColor, Words } from "../../../frontend/src/page/saying";
import { t } from "../../../frontend/src/page/words";
import { arm, armed, cameOf, guide, removePoint, said, stops, targetColor, toldHere } from "../store";

export function Points() {
  const seen = toldHere.value?.seen ?? [];
  return (
    <>
      <Words said={armed.value?.is} onSay={arm} />
      {armed.value?.is === "target" && <TargetColor value={targetColor.value} onInput={(v) => (targetColor.value = v)} />}
      {armed.value?.is === "brightness" && <Stops value={stops.value} onInput={(v) => (stops.value = v)} />}
      {seen.length === 0 && <p class="quiet">{t("points.none")}</p>}
      <ol class="points">
        {seen.map((one, i) => <Said key={one.number} place={i} />)}
      </ol>
      {said.value.size > 0 && <Button icon="download" kind="quiet" onClick={save}>{t("live.guide")}</Button>}
    </>
  );
}

function Said({ place }: { place: number }) {
  const seen = toldHere.value?.seen[place];
  const came = cameOf.value[place];
  if (!seen || !came) return null;
  const asked = seen.goal ?? (seen.point.is === "keep" ? came.composite : null);
  const levels = (color: Color): number[] => color.map((value) => 255 * value);
  return (
    <li class="point">
      <div class="row between">
        <span><b class="badge">{seen.number}</b> {t("live.point.of", { word: t(`word.${seen.point.is}`), at: seen.point.at.join(", ") })}</span>
        <Button icon="trash" kind="quiet" title={t("points.remove", { number: seen.number })} onClick={() => removePoint(place)} />
      </div>
      <Came
        was={levels(came.composite)}
        got={levels(came.got)}
        asked={asked && levels(asked)}
        left={came.levelsLeft}
        clipped={came.clipped}
        contradicts={came.contradicts}
      />
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
