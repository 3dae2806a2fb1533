/** Six takes as small pictures: pointing at one tries it, a click chooses it. */

import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { Renderer, guided, type Take } from "../../../frontend/src/index";
import { TakeButton, TakeList } from "../../../frontend/src/page/choosing";
import { has, t } from "../../../frontend/src/page/words";
import { answered, choose, strength, takeBack, takes, toldHere, tried } from "../store";
import { asTexture } from "../video/write";

const WIDTH = 240;

/** Draws all takes, one after the other. */
let renderer: Renderer | null = null;

export function Takes() {
  const rounds = toldHere.value?.choices.length ?? 0;
  if (!answered.value) return <p class="quiet">{t("takes.away")}</p>;
  return (
    <TakeList rounds={rounds} onTakeBack={takeBack}>
      {takes.value.map((take, i) => <Choice key={i} take={take} number={i + 1} />)}
    </TakeList>
  );
}

function Choice({ take, number }: { take: Take; number: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const now = answered.value;
    const current = takes.value[number - 1];
    if (!now || !current || !canvas.current) return;
    const { pixels, matte } = now.frame;
    renderer ??= new Renderer(new OffscreenCanvas(1, 1));
    const scale = WIDTH / pixels.width;
    const surface = renderer.canvas;
    [surface.width, surface.height] = [WIDTH, Math.max(1, Math.round(scale * pixels.height))];
    renderer.setFrame(pixels);
    renderer.render([
      { matte: asTexture(matte, pixels.width, pixels.height), change: guided(now.maps, current.change, strength.value, []) },
    ]);
    renderer.show({ mode: "after", wipe: 0, gain: 1, showMatte: false, scale, pixels: false, offset: [0, 0], ground: [0, 0, 0] });
    [canvas.current.width, canvas.current.height] = [surface.width, surface.height];
    canvas.current.getContext("2d")!.drawImage(surface, 0, 0);
  });
  const key = `take.${take.word.replace(" ", "-")}`;
  const word = has(key) ? t(key) : take.word;
  const attempt = (): void => void (tried.value = take.change);
  const leave = (): void => void (tried.value = null);
  return (
    <TakeButton
      canvas={canvas}
      number={number}
      word={word}
      onChoose={() => choose(number)}
      onTry={attempt}
      onLeave={leave}
    />
  );
}
