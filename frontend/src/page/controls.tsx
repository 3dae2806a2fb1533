/** Buttons, sliders, dialogs: what every part of the page is made of. */

import type { ComponentChildren, Ref } from "preact";
import { useEffect, useId, useLayoutEffect, useRef } from "preact/hooks";
import { t } from "./words";
import { Icon, type IconName } from "./icons";

interface ButtonProps {
  icon?: IconName;
  /** Read aloud and shown on hovering, where the icon stands alone. */
  title?: string | undefined;
  keys?: string;
  pressed?: boolean | undefined;
  disabled?: boolean;
  kind?: "plain" | "primary" | "quiet" | "danger";
  class?: string;
  onClick: (event: MouseEvent) => void;
  children?: ComponentChildren;
}

export function Button(props: ButtonProps) {
  const { icon, title, keys, pressed, disabled = false, kind = "plain", children } = props;
  const shown = title && keys ? `${title} (${keys})` : title;
  return (
    <button
      type="button"
      class={`button ${kind} ${children ? "" : "bare"} ${props.class ?? ""}`}
      title={shown}
      aria-label={children ? undefined : title}
      aria-pressed={pressed}
      aria-keyshortcuts={keys}
      disabled={disabled}
      onClick={props.onClick}
    >
      {icon && <Icon name={icon} />}
      {children && <span>{children}</span>}
    </button>
  );
}

interface Choice<T extends string> {
  value: T;
  label: string;
  icon?: IconName;
  keys?: string;
}

/** One of a few, all of them in sight. */
export function Segments<T extends string>(props: {
  label: string;
  value: T;
  choices: readonly Choice<T>[];
  iconsOnly?: boolean;
  onChange: (value: T) => void;
}) {
  const move = (event: KeyboardEvent, index: number): void => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const count = props.choices.length;
    const to = props.choices[(index + step + count) % count]!;
    props.onChange(to.value);
    const group = (event.currentTarget as HTMLElement).parentElement;
    (group?.children[(index + step + count) % count] as HTMLElement | undefined)?.focus();
  };
  return (
    <div class="segments" role="radiogroup" aria-label={props.label}>
      {props.choices.map((choice, index) => (
        <button
          key={choice.value}
          type="button"
          role="radio"
          class={props.iconsOnly ? "bare" : ""}
          aria-checked={choice.value === props.value}
          aria-label={props.iconsOnly ? choice.label : undefined}
          title={choice.keys ? `${choice.label} (${choice.keys})` : choice.label}
          tabIndex={choice.value === props.value ? 0 : -1}
          onClick={() => props.onChange(choice.value)}
          onKeyDown={(event) => move(event, index)}
        >
          {choice.icon && <Icon name={choice.icon} />}
          {!props.iconsOnly && <span>{choice.label}</span>}
        </button>
      ))}
    </div>
  );
}

interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  /** Where it stands by itself: a double click goes there, and a tick shows it. */
  rest: number;
  /** How far can be typed, where that is farther than the slider goes. */
  least?: number;
  most?: number;
  /** As it is written. */
  text: string;
  /** As it is read aloud, where the number alone does not say it. */
  spoken?: string;
  onInput: (value: number) => void;
  /** Of the track, for those who see color: what lies to either end. */
  track?: string;
  disabled?: boolean;
}

/** A number as people type it; null for what is none. */
export function typedNumber(text: string): number | null {
  const plain = text.trim().replace(",", ".").replace("−", "-");
  const found = Number(plain);
  return plain && Number.isFinite(found) ? found : null;
}

/** A field that shows a text, and is written to only where that changes: what is half typed outlives that the page
 * around it is drawn anew. */
function useWritten(text: string): Ref<HTMLInputElement> {
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (field.current) field.current.value = text;
  }, [text]);
  return field;
}

/** A number that is typed. It is heard once it is typed to its end: a number that is written back
 * at every key becomes another one on the way. */
export function Typed(props: {
  value: number;
  min?: number;
  max?: number;
  step: number;
  onChange: (value: number) => void;
}) {
  const { value, min = -Infinity, max = Infinity, step } = props;
  const field = useWritten(String(value));
  const bounds = { ...(Number.isFinite(min) ? { min } : {}), ...(Number.isFinite(max) ? { max } : {}) };
  return (
    <input
      ref={field}
      type="number"
      {...bounds}
      step={step}
      onChange={(event) => {
        const typed = event.currentTarget.valueAsNumber;
        const kept = Number.isFinite(typed) ? Math.min(max, Math.max(min, typed)) : value;
        event.currentTarget.value = String(kept);
        if (Number.isFinite(typed)) props.onChange(kept);
      }}
    />
  );
}

/** A slider with its number, which can be typed over. */
export function Slider(props: SliderProps) {
  const id = useId();
  const written = useWritten(props.text);
  const { min, max, step, least = min, most = max } = props;
  const share = (value: number): number => Math.min(1, Math.max(0, (value - min) / (max - min)));
  const type = (event: { currentTarget: HTMLInputElement }): void => {
    const typed = typedNumber(event.currentTarget.value);
    if (typed !== null) props.onInput(Math.min(most, Math.max(least, typed)));
    event.currentTarget.value = props.text;
  };
  return (
    <div class={`slider ${props.track ?? ""}`}>
      <label for={id}>{props.label}</label>
      <div class="rail">
        <i class="rest" style={{ left: `calc(7px + (100% - 14px) * ${share(props.rest).toFixed(4)})` }} />
        <input
          id={id}
          type="range"
          min={min}
          max={max}
          step={step}
          value={props.value}
          disabled={props.disabled}
          aria-valuetext={props.spoken ?? props.text}
          title={t("slider.reset")}
          onInput={(event) => props.onInput(Number(event.currentTarget.value))}
          onDblClick={() => props.onInput(props.rest)}
        />
      </div>
      <input
        class="typed"
        type="text"
        inputMode="decimal"
        ref={written}
        aria-label={t("slider.typed", { name: props.label })}
        disabled={props.disabled}
        onFocus={(event) => event.currentTarget.select()}
        onChange={type}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
    </div>
  );
}

/** A dialog over the page; Escape and the cross close it. */
export function Dialog(props: {
  title: string;
  wide?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current!;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={ref}
      class={props.wide ? "wide" : ""}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onPointerDown={(event) => event.target === ref.current && props.onClose()}
    >
      <div class="sheet">
        <header>
          <h2 id={id}>{props.title}</h2>
          <Button icon="close" title={t("close")} kind="quiet" onClick={props.onClose} />
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

/** How far something is. */
export function Progress({ value, label }: { value: number | null; label: string }) {
  return (
    <progress aria-label={label} max={1} {...(value === null ? {} : { value })}>
      {value === null ? "" : `${Math.round(100 * value)} %`}
    </progress>
  );
}

/** A part of a panel that can be folded away. */
export function Section(props: {
  title: string;
  children: ComponentChildren;
  aside?: ComponentChildren;
  closed?: boolean;
}) {
  return (
    <details class="section" open={!props.closed}>
      <summary>
        <h2>{props.title}</h2>
        {props.aside && <span class="aside">{props.aside}</span>}
      </summary>
      <div class="body">{props.children}</div>
    </details>
  );
}

export function Swatch({ color, label }: { color: readonly number[]; label: string }) {
  const [r, g, b] = color.map((value) => Math.round(Math.min(255, Math.max(0, value))));
  return (
    <span
      class="swatch"
      role="img"
      aria-label={`${label}: ${r}, ${g}, ${b}`}
      title={`${label}: ${r}, ${g}, ${b}`}
      style={{ background: `rgb(${r} ${g} ${b})` }}
    />
  );
}
