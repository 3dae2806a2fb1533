/** How far to go, what stays, who moves, and how the network looks. */

import type { Kept } from "../../src/index";
import { currentObject, edit, job, keep, objects, project, strength } from "../store/project";
import { offers, options, session } from "../store/session";
import { overlay } from "../store/view";
import { number, t } from "../text";
import { Button, Segments, Slider } from "../../src/page/controls";

const KEPT: readonly Kept[] = ["hue", "luma", "saturation"];

export function Strength() {
  const value = Math.round(100 * strength.value);
  return (
    <Slider
      label={t("strength")}
      value={value}
      min={0}
      max={100}
      step={1}
      rest={100}
      text={number(value, 0)}
      spoken={t("percent", { value: number(value, 0) })}
      onInput={(to) => edit("edit.strength", { job: { strength: to === 100 ? undefined : to / 100 } }, "strength")}
    />
  );
}

export function Objects() {
  if (objects.value < 2) return null;
  const choices = Array.from({ length: objects.value }, (_, i) => ({
    value: String(i + 1),
    label: t("object", { number: i + 1 }),
  }));
  return (
    <Segments
      label={t("objects")}
      value={String(currentObject.value)}
      choices={choices}
      onChange={(value) => (currentObject.value = Number(value))}
    />
  );
}

export function Settings() {
  const kept = keep.value;
  const set = (name: Kept, on: boolean): void => {
    const next = KEPT.filter((one) => (one === name ? on : kept.includes(one)));
    edit("edit.keep", { job: { keep: next.length ? next : undefined } });
  };
  return (
    <>
      <fieldset>
        <legend>{t("keep")}</legend>
        <div class="row">
          {KEPT.map((name) => (
            <label key={name} class="check">
              <input type="checkbox" checked={kept.includes(name)} onChange={(event) => set(name, event.currentTarget.checked)} />
              {t(`keep.${name}`)}
            </label>
          ))}
        </div>
      </fieldset>
      {offers("move") && <Move />}
      <Quality />
      <Caution />
      {project.value?.layers && (
        <Button icon="layers" onClick={() => (overlay.value = "placement")}>{t("placement.change")}</Button>
      )}
    </>
  );
}

/** Whether the foreground goes to the background, the other way, or both meet. */
function Move() {
  const said = typeof job.value.move === "string" ? job.value.move : "foreground";
  const [who, share] = said.split(":") as ["foreground" | "background" | "both", string | undefined];
  const part = share ? Number(share) : 0.5;
  return (
    <div class="field">
      <span class="name" id="move">{t("move")}</span>
      <Segments
        label={t("move")}
        value={who}
        choices={[
          { value: "foreground", label: t("move.foreground") },
          { value: "both", label: t("move.both") },
          { value: "background", label: t("move.background") },
        ]}
        onChange={(value) => edit("edit.move", { job: { move: value === "foreground" ? undefined : value } })}
      />
      {who === "both" && (
        <Slider
          label={t("move.share")}
          value={part}
          min={0.05}
          max={0.95}
          step={0.05}
          rest={0.5}
          text={number(part)}
          onInput={(value) => edit("edit.move", { job: { move: `both:${Number(value.toFixed(2))}` } }, "move")}
        />
      )}
      {who !== "foreground" && <p class="note">{t("move.outside")}</p>}
    </div>
  );
}

function Quality() {
  const names = session.value?.qualities ?? ["fast", "balanced", "best"];
  return (
    <label class="field">
      <span class="name">{t("quality")}</span>
      <select
        value={job.value.quality ?? "balanced"}
        onChange={(event) => {
          const to = event.currentTarget.value;
          edit("edit.quality", { job: { quality: to === "balanced" ? undefined : to } });
        }}
      >
        {names.map((name) => (
          <option key={name} value={name}>{t(`quality.${name}`)}</option>
        ))}
      </select>
    </label>
  );
}

function Caution() {
  const usual = options.value.find((one) => one.name === "caution")?.default;
  const value = job.value.caution;
  const given = value ?? (typeof usual === "number" ? usual : "");
  return (
    <label class="field">
      <span class="name">{t("caution")}</span>
      <span class="row">
        <input
          type="number"
          min={0}
          max={255}
          step={1}
          value={given}
          placeholder={t("caution.usual")}
          onChange={(event) => {
            const typed = event.currentTarget.valueAsNumber;
            const to = Number.isFinite(typed) ? Math.min(255, Math.max(0, typed)) : undefined;
            edit("edit.caution", { job: { caution: to } });
          }}
        />
        <span class="quiet">{t("caution.unit")}</span>
      </span>
    </label>
  );
}
