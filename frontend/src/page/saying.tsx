/** Saying something of a place, and what came of it. */

import type { Kind } from "../index";
import { Swatch, Typed } from "./controls";
import { Icon, type IconName } from "./icons";
import { number, t } from "./words";

/** What a person can say, in the order in which it is offered; keys choose them where a page has keys. */
export const WORDS: readonly { kind: Kind; icon: IconName; key: string }[] = [
  { kind: "match", icon: "match", key: "A" },
  { kind: "target", icon: "target", key: "C" },
  { kind: "neutral", icon: "neutral", key: "N" },
  { kind: "keep", icon: "keep", key: "E" },
  { kind: "brightness", icon: "brightness", key: "B" },
  { kind: "hue", icon: "hue", key: "H" },
];

/** Kinds that take after another place, which is clicked second. */
export const takesPlace = (kind: Kind): boolean => kind === "match" || kind === "hue";

const MOST_STOPS = 8;
/** Levels of 255 that nobody sees. */
const LEAST_LEFT = 0.5;

/** What the next click says. */
export function Words({ said, keys = false, onSay }: { said: Kind | undefined; keys?: boolean; onSay: (kind: Kind) => void }) {
  return (
    <div class="words" role="group" aria-label={t("points.say")}>
      {WORDS.map(({ kind, icon, key }) => (
        <button
          key={kind}
          type="button"
          class="word"
          aria-pressed={said === kind}
          aria-keyshortcuts={keys ? key : undefined}
          title={t(`word.${kind}.help`) + (keys ? ` (${key})` : "")}
          onClick={() => onSay(kind)}
        >
          <Icon name={icon} />
          <span>{t(`word.${kind}`)}</span>
        </button>
      ))}
    </div>
  );
}

export function TargetColor({ value, onInput }: { value: string; onInput: (value: string) => void }) {
  return (
    <label class="row">
      {t("points.color")}
      <input type="color" value={value} onInput={(event) => onInput(event.currentTarget.value)} />
      <code>{value}</code>
    </label>
  );
}

export function Stops({ value, onInput }: { value: number; onInput: (value: number) => void }) {
  return (
    <label class="row">
      {t("points.stops")}
      <Typed min={-MOST_STOPS} max={MOST_STOPS} step={0.1} value={value} onChange={onInput} />
    </label>
  );
}

/** Asked and got, in color and in numbers; colors and what is left in levels of 255. */
export function Came(props: {
  was: readonly number[];
  got: readonly number[];
  /** Null where no color was asked for. */
  asked: readonly number[] | null;
  left: number;
  clipped: boolean;
  /** Number of the point that this one contradicts. */
  contradicts: number | null;
}) {
  return (
    <div class="came">
      <Labelled color={props.was} label={t("points.was")} />
      <Icon name="goto" />
      <Labelled color={props.got} label={t("points.got")} />
      {props.asked && <Labelled color={props.asked} label={t("points.asked")} />}
      <span class="left">
        {props.left < LEAST_LEFT
          ? <><Icon name="check" /> {t("points.met")}</>
          : t("points.left", { levels: number(props.left, 1) })}
      </span>
      {props.clipped && <p class="note"><Icon name="warning" /> {t("points.clipped")}</p>}
      {props.contradicts !== null && (
        <p class="note"><Icon name="warning" /> {t("points.contradicts", { other: props.contradicts })}</p>
      )}
    </div>
  );
}

function Labelled({ color, label }: { color: readonly number[]; label: string }) {
  return (
    <span>
      <Swatch color={color} label={label} />
      <small>{label}</small>
    </span>
  );
}
