/** What is harmonized: a composite and its mask, by a second file, alpha or a brush. */

import { useId } from "preact/hooks";
import { t } from "../../../frontend/src/page/words";
import { Button, Segments, Slider } from "../../../frontend/src/page/controls";
import { useDropping } from "../../../frontend/src/page/files";
import {
  bringClip,
  bringExample,
  bringMask,
  brush,
  clearPaint,
  clip,
  harmonized,
  isBrought,
  isPainting,
  mask,
  matteKind,
  network,
  paintOn,
  quality,
  run,
  start,
  work,
} from "../store";
import { MATTE_KINDS } from "../video/mattes";

const READ = "video/*,image/*,.mkv,.mov,.webm";
const LARGEST_BRUSH = 200;

export function Bring() {
  const isBusy = work.value !== null;
  return (
    <section class="bring" aria-label={t("live.clip")}>
      <FileSlot title={t("live.clip")} help={t("live.clip.help")} name={clip.value?.name} onFile={(file) => run(() => bringClip(file))} />
      <h2>{t("live.mask")}</h2>
      <Segments
        label={t("live.mask")}
        value={matteKind.value}
        choices={MATTE_KINDS.map((value) => ({ value, label: t(`live.mask.${value}`) }))}
        onChange={(value) => (matteKind.value = value)}
      />
      <p class="quiet">{t(`live.mask.${matteKind.value}.help`)}</p>
      {matteKind.value === "file" && (
        <FileSlot title={t("live.mask.file")} name={mask.value?.name} onFile={(file) => run(() => bringMask(file))} />
      )}
      {isPainting.value && <Brush />}
      {matteKind.value === "brush" && harmonized.value && (
        <Button disabled={isBusy} onClick={paintOn}>{t("live.brush.on")}</Button>
      )}
      <h2>{t("live.quality")}</h2>
      <Segments
        label={t("live.quality")}
        value={quality.value}
        choices={(["balanced", "fast"] as const).map((value) => ({ value, label: t(`live.quality.${value}`) }))}
        onChange={(value) => (quality.value = value)}
      />
      <div class="row">
        <Button kind="primary" disabled={!isBrought.value || !network.value || isBusy} onClick={() => run(start)}>
          {t("live.start")}
        </Button>
        {!clip.value && (
          <Button disabled={!network.value || isBusy} onClick={() => run(bringExample)}>
            {t("live.example")}
          </Button>
        )}
      </div>
    </section>
  );
}

/** A place for a file: chosen or dropped. */
function FileSlot(props: { title: string; help?: string; name: string | undefined; onFile: (file: File) => void }) {
  const id = useId();
  const take = ([file]: readonly File[]): void => {
    if (file) props.onFile(file);
  };
  const { isOver, handlers } = useDropping(take);
  return (
    <div class={`slot ${props.name ? "filled" : ""} ${isOver.value ? "next" : ""}`} {...handlers}>
      <b>{props.title}</b>
      {props.help && <p class="quiet">{props.help}</p>}
      {props.name && <p class="name">{props.name}</p>}
      <label class="button" for={id}>{t(props.name ? "live.choose-other" : "live.choose")}</label>
      <input
        id={id}
        class="visually-hidden"
        type="file"
        accept={READ}
        aria-label={`${props.title}: ${t("live.choose")}`}
        onChange={(event) => {
          take([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }}
      />
      {!props.name && <span class="quiet"> {t("live.drop")}</span>}
    </div>
  );
}

function Brush() {
  const { radius, value } = brush.value;
  return (
    <div class="brush">
      <Segments
        label={t("live.brush.tool")}
        value={value ? "paint" : "erase"}
        choices={(["paint", "erase"] as const).map((tool) => ({ value: tool, label: t(`live.brush.${tool}`) }))}
        onChange={(tool) => (brush.value = { radius, value: tool === "paint" ? 255 : 0 })}
      />
      <Slider
        label={t("live.brush.size")}
        value={radius}
        min={1}
        max={LARGEST_BRUSH}
        step={1}
        rest={24}
        text={String(radius)}
        onInput={(size) => (brush.value = { radius: size, value })}
      />
      <Button icon="undo" onClick={clearPaint}>{t("live.brush.clear")}</Button>
    </div>
  );
}
