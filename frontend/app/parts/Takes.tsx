/** Six takes as thumbnails: one click is worth one exact point. */

import { tried } from "../store/answers";
import { shown } from "../store/playhead";
import { currentObject } from "../store/project";
import { choose, chosenRounds, current, isLoading, takeBack, thumbnails } from "../store/takes";
import { has, number, t } from "../text";
import type { TakeRow } from "../types";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "./controls";

export function Takes() {
  const found = current.value;
  const rounds = chosenRounds().length;
  const isThere = shown.value?.maps.objects[currentObject.value - 1] != null;
  if (!isThere && shown.value) return <p class="quiet">{t("takes.away")}</p>;
  return (
    <>
      <p class="lead">{t(rounds ? "takes.finer" : "takes.first")}</p>
      <ol class={`takes ${isLoading.value ? "waits" : ""}`} aria-label={t("takes")}>
        {(found?.takes ?? blank).map((take, i) => (
          <li key={i}>
            <Take take={take} picture={found ? thumbnails.value[i] : undefined} number={i + 1} />
          </li>
        ))}
      </ol>
      <div class="row between">
        <span class="quiet">{t("takes.round", { round: rounds + 1 })}</span>
        {rounds > 0 && (
          <Button icon="undo" kind="quiet" onClick={takeBack}>
            {t("takes.back")}
          </Button>
        )}
      </div>
    </>
  );
}

const blank: (TakeRow | null)[] = Array.from({ length: 6 }, () => null);

function Take({ take, picture, number: place }: { take: TakeRow | null; picture: ImageBitmap | undefined; number: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const surface = canvas.current;
    if (!surface || !picture) return;
    surface.width = picture.width;
    surface.height = picture.height;
    surface.getContext("2d")!.drawImage(picture, 0, 0);
  }, [picture]);
  const word = take ? (has(take.key) ? t(take.key) : take.word) : "";
  const isNow = take !== null && place === 1;
  // Pointing at a take shows it at full size; leaving it takes that back.
  const attempt = (): void => {
    if (take && take.take !== 1) tried.value = { object: currentObject.value, change: Float64Array.from(take.change) };
  };
  const leave = (): void => void (tried.value = null);
  return (
    <button
      type="button"
      class="take"
      disabled={!take}
      aria-label={take ? t("takes.choose", { number: place, word, levels: number(take.mean_change, 1) }) : t("takes.waiting")}
      aria-keyshortcuts={String(place)}
      title={take ? t("takes.choose", { number: place, word, levels: number(take.mean_change, 1) }) : ""}
      onClick={() => choose(place)}
      onPointerEnter={(event) => event.pointerType === "mouse" && attempt()}
      onPointerLeave={leave}
      onFocus={attempt}
      onBlur={leave}
    >
      <canvas ref={canvas} width={336} height={189} aria-hidden="true" />
      <span>
        <b>{place}</b> {word}
        {isNow && <em>{t("takes.now")}</em>}
      </span>
    </button>
  );
}
