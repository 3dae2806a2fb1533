/** Six takes as thumbnails: one click is worth nearly a point. */

import { answer, isAsking, tried } from "../store/answers";
import { shown } from "../store/playhead";
import { currentObject, guide } from "../store/project";
import { choose, chosenRounds, current, isLoading, removeChoice, takeBack, thumbnails } from "../store/takes";
import { explained, has, number, t } from "../text";
import type { GuideAnswer, TakeRow } from "../types";
import { useEffect, useRef } from "preact/hooks";
import { TakeButton, TakeList } from "../../src/page/choosing";
import { Button } from "../../src/page/controls";
import { Icon } from "../../src/page/icons";

export function Takes() {
  const found = current.value;
  const rounds = chosenRounds().length;
  const isThere = shown.value?.maps.objects[currentObject.value - 1] != null;
  const choices = guide.value.choices;
  const isFirst = (number: number): boolean => {
    const one = choices[number - 1];
    return one !== undefined && choices.findIndex((of) => of.frame === one.frame && (of.object ?? 1) === (one.object ?? 1)) === number - 1;
  };
  // Later rounds go with the first one.
  const faulty = (answer.value?.errors ?? []).filter((one) => one.choice !== undefined && isFirst(one.choice));
  if (!isThere && shown.value) {
    return (
      <>
        <p class="quiet">{t("takes.away")}</p>
        {faulty.map((one) => <Faulty key={one.choice} error={one} />)}
      </>
    );
  }
  return (
    <>
      {faulty.map((one) => <Faulty key={one.choice} error={one} />)}
      <TakeList rounds={rounds} waits={isLoading.value} onTakeBack={takeBack}>
        {(found?.takes ?? blank).map((take, i) => (
          <Take key={i} take={take} picture={found ? thumbnails.value[i] : undefined} number={i + 1} />
        ))}
      </TakeList>
    </>
  );
}

/** A choice that cannot be heard any more: of an object or a frame that is gone. */
function Faulty({ error }: { error: GuideAnswer["errors"][number] }) {
  return (
    <p class="problem row between">
      <span><Icon name="warning" /> {explained(error, "takes.wrong")}</span>
      <Button icon="trash" kind="quiet" title={t("takes.remove", { number: error.choice! })} disabled={isAsking.value} onClick={() => removeChoice(error.choice! - 1)} />
    </p>
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
  // Pointing at a take shows it at full size; leaving it takes that back.
  const attempt = (): void => {
    if (take && take.take !== 1) tried.value = { object: currentObject.value, change: Float64Array.from(take.change) };
  };
  const leave = (): void => void (tried.value = null);
  return (
    <TakeButton
      canvas={canvas}
      number={place}
      word={word}
      label={take ? t("takes.choose", { number: place, word, levels: number(take.mean_change, 1) }) : t("takes.waiting")}
      isNow={take !== null && place === 1}
      isWaiting={!take}
      hasKey
      onChoose={() => choose(place)}
      onTry={attempt}
      onLeave={leave}
    />
  );
}
