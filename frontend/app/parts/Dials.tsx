/** The six dials, already standing where the answer is, and the diagnosis in words. */

import { DIALS, DIAL_RANGES, noDials, type DialName } from "../../src/index";
import { diagnosisOf } from "../store/answers";
import { currentObject, edit, guide } from "../store/project";
import { number, signed, t } from "../text";
import type { DiagnosisRow } from "../types";
import { Button, Slider } from "../../src/page/controls";
import { Icon } from "../../src/page/icons";

/** How far a slider goes: a dial can be typed farther. */
const REACH: Record<DialName, number> = {
  exposure: 3,
  temperature: 100,
  tint: 100,
  contrast: 1,
  blacks: 20,
  saturation: 2,
};
const STEPS: Record<DialName, number> = {
  exposure: 0.01,
  temperature: 0.5,
  tint: 0.5,
  contrast: 0.01,
  blacks: 0.1,
  saturation: 0.01,
};
const DIGITS: Record<DialName, number> = {
  exposure: 2,
  temperature: 0,
  tint: 0,
  contrast: 2,
  blacks: 1,
  saturation: 2,
};
/** What is less than this goes without saying: `vhmae.guide.wording`. */
const NOTICED: Record<DialName, number> = {
  exposure: 0.05,
  temperature: 2,
  tint: 2,
  contrast: 0.04,
  blacks: 0.2,
  saturation: 0.05,
};

export function DialsPanel() {
  const row = diagnosisOf(currentObject.value);
  const plain = row?.plain_dials ?? row?.dials ?? noDials();
  const turned = guide.value.dials;
  const turn = (name: DialName, value: number): void => {
    const limit = DIAL_RANGES[name];
    const offset = Math.min(limit, Math.max(-limit, value - plain[name]));
    const exact = Math.abs(offset) < STEPS[name] / 2 ? 0 : Number(offset.toFixed(4));
    edit(`edit.dial.${name}`, { guide: { dials: { ...turned, [name]: exact } } }, `dial.${name}`);
  };
  const isTurned = DIALS.some((name) => turned[name] !== 0);
  return (
    <>
      {DIALS.map((name) => {
        const value = plain[name] + turned[name];
        return (
          <Slider
            key={name}
            label={t(`dial.${name}`)}
            value={value}
            min={-REACH[name]}
            max={REACH[name]}
            step={STEPS[name]}
            rest={plain[name]}
            least={plain[name] - DIAL_RANGES[name]}
            most={plain[name] + DIAL_RANGES[name]}
            text={signed(value, DIGITS[name])}
            spoken={`${signed(value, DIGITS[name])} ${t(`dial.${name}.unit`)}`}
            track={`dial-${name}`}
            onInput={(to) => turn(name, to)}
          />
        );
      })}
      <div class="row between">
        <span class="quiet">{t("dials.rest")}</span>
        {isTurned && (
          <Button icon="undo" kind="quiet" onClick={() => edit("edit.dials", { guide: { dials: noDials() } })}>
            {t("dials.reset")}
          </Button>
        )}
      </div>
    </>
  );
}

/** What the answer does, in a compositor's words. */
export function Diagnosis() {
  const row = diagnosisOf(currentObject.value);
  if (!row) return <p class="quiet">{t("diagnosis.waiting")}</p>;
  return (
    <div class="diagnosis">
      {row.nothing_to_do ? (
        <p class="verdict"><Icon name="check" /> <b>{t("diagnosis.nothing")}</b></p>
      ) : (
        <p class="verdict">{inWords(row)}</p>
      )}
      <dl>
        <div>
          <dt>{t("diagnosis.change")}</dt>
          <dd>{t("levels", { value: number(row.change_levels, 1) })}</dd>
        </div>
        <div>
          <dt>{t("diagnosis.left")}</dt>
          <dd>{t("levels", { value: number(row.left_levels, 1) })}</dd>
        </div>
        {row.sure !== undefined && (
          <div>
            <dt>{t("diagnosis.sure")}</dt>
            <dd>{t("percent", { value: number(100 * row.sure, 0) })}</dd>
          </div>
        )}
      </dl>
    </div>
  );
}

function inWords(row: DiagnosisRow): string {
  const said = DIALS.filter((name) => Math.abs(row.dials[name]) >= NOTICED[name]).map((name) => {
    const value = row.dials[name];
    const amount = number(Math.abs(value), DIGITS[name]);
    return t(`diagnosis.${name}.${value < 0 ? "down" : "up"}`, { amount });
  });
  return said.length ? said.join(", ") : t("diagnosis.little");
}
