/** The page: what is brought to the left, the picture in the middle, what is said to the right. */

import { LANGUAGE_NAMES, language, number, t } from "../../../frontend/src/page/words";
import { Progress, Section, Segments, Slider } from "../../../frontend/src/page/controls";
import { clip, harmonized, network, networkTrouble, pace, problem, seek, shown, run, strength, times, work } from "../store";
import { Bring } from "./Bring";
import { Finish } from "./Finish";
import { Points } from "./Points";
import { Stage } from "./Stage";
import { Takes } from "./Takes";

export function Page({ onSpeak }: { onSpeak: (language: string) => void }) {
  return (
    <div class="page">
      <header class="head">
        <div>
          <h1>{t("live.title")}</h1>
          <p class="quiet">{t("live.lead")}</p>
        </div>
        <Segments
          label={t("live.language")}
          value={language.value}
          choices={Object.entries(LANGUAGE_NAMES).map(([value, label]) => ({ value, label }))}
          onChange={onSpeak}
        />
      </header>
      <main class={harmonized.value ? "three" : "two"}>
        <Bring />
        <section class="middle" aria-label={t("viewer")}>
          <Stage />
          <Frames />
          <p class="problem" role="alert">{problem.value}</p>
        </section>
        {harmonized.value && (
          <aside class="saying">
            <Section title={t("takes")}><Takes /></Section>
            <Section title={t("live.points")}><Points /></Section>
            <Section title={t("live.export")}>
              <Slider
                label={t("strength")}
                value={strength.value}
                min={0}
                max={1}
                step={0.01}
                rest={1}
                text={number(strength.value)}
                onInput={(value) => (strength.value = value)}
              />
              <Finish />
            </Section>
          </aside>
        )}
      </main>
      <footer class="foot">
        <Network />
        <a href="LICENSES.txt">{t("live.licences")}</a>
      </footer>
    </div>
  );
}

/** What frame is shown, and how far the work is. */
function Frames() {
  const found = harmonized.value;
  const doing = work.value;
  if (doing) {
    const total = doing.kind === "write" ? (found?.count ?? 0) : 0;
    const key = doing.kind === "look" ? "live.looking" : "live.exporting";
    const label = t(key, { frame: doing.frames, count: total });
    return (
      <div class="frames">
        <Progress value={total ? doing.frames / total : null} label={label} />
        <span role="status">{label}</span>
        <button type="button" class="button" onClick={() => doing.stop.abort()}>{t("live.cancel")}</button>
      </div>
    );
  }
  if (!shown.value || clip.value?.isStill) return null;
  const { index } = shown.value;
  const count = found?.count ?? times.value.length;
  const at = { frame: index + 1, count };
  const place = found ? t("live.frame.of", { ...at, shot: found.shotOf(index) + 1 }) : t("live.frame.at", at);
  return (
    <div class="frames">
      <label class="visually-hidden" for="frame">{t("live.frame")}</label>
      <input
        id="frame"
        type="range"
        min={0}
        max={count - 1}
        value={index}
        aria-valuetext={place}
        onInput={(event) => {
          const to = event.currentTarget.valueAsNumber;
          run(() => seek(to));
        }}
      />
      <span>{place}</span>
    </div>
  );
}

function Network() {
  if (networkTrouble.value) return <p class="problem" role="alert">{t("live.network.failed", { reason: networkTrouble.value })}</p>;
  const ready = network.value;
  const went = pace.value;
  return (
    <p class="quiet" role="status">
      {ready ? t("live.network.ready", { threads: ready.threads }) : t("live.network.loading")}
      {went && ` ${t("live.pace", { frames: went.frames, pace: number(went.frames / went.seconds, 1) })}`}
    </p>
  );
}
