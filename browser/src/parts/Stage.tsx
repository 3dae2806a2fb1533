/** The picture, before and after: wiped, pointed at, painted on. */

import { useSignalEffect } from "@preact/signals";
import { MODES, clip as clamp, type Layer, type Place } from "../../../frontend/src/index";
import { Segments } from "../../../frontend/src/page/controls";
import { ArmedHint, WipeHandle, groundOf, useGraphics } from "../../../frontend/src/page/looking";
import { canvasAt, layOut, placeAt, type Layout } from "../../../frontend/src/page/viewing";
import { t } from "../../../frontend/src/page/words";
import { armed, change, clicked, clip, harmonized, isPainting, mode, paint, shown, toldHere, wipe } from "../store";
import { asTexture } from "../video/write";

export function Stage() {
  const { box, canvas, renderer, size, trouble } = useGraphics();

  const layout = (): Layout | null => {
    const open = clip.value;
    if (!open) return null;
    const looked = harmonized.value ? mode.value : "before";
    return layOut(size.value, open, looked, null, [0, 0], size.value.ratio);
  };

  useSignalEffect(() => {
    const [now, draw, made] = [shown.value, renderer.current, change.value];
    const { width, height } = size.value;
    const isLost = trouble.value !== "";
    const lay = layout();
    if (!now || !draw || !lay || isLost) return;
    const surface = canvas.current!;
    [surface.width, surface.height] = [width, height];
    draw.setFrame(now.pixels);
    const matte = asTexture(now.matte, now.pixels.width, now.pixels.height);
    const layers: Layer[] = made ? [{ matte, change: made }] : [];
    draw.render(layers, matte);
    const theme = document.documentElement.dataset["theme"] === "light" ? "light" : "dark";
    draw.show({
      mode: harmonized.value ? mode.value : "before",
      wipe: wipe.value,
      gain: 4,
      showMatte: isPainting.value,
      scale: lay.scale,
      pixels: false,
      offset: lay.offset,
      ground: groundOf(theme),
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
    // A number that is being typed is of this point: it is heard when its field is left, which would be after the click.
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    if (armed.value && isInside) clicked([Math.floor(at[0]), Math.floor(at[1])]);
    else {
      box.current!.setPointerCapture(event.pointerId);
      drag(event);
    }
  };

  if (trouble.value === "none") return <p class="problem" role="alert">{t("live.no-graphics")}</p>;
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
        {armed.value && <ArmedHint is={armed.value.is} hasFirst={armed.value.at !== undefined} />}
        {trouble.value === "lost" && <p class="over">{t("viewer.lost")}</p>}
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

function Wipe({ layout, ratio }: { layout: Layout | null; ratio: number }) {
  return layout && clip.value && <WipeHandle {...{ layout, ratio, wipe }} picture={clip.value} />;
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
