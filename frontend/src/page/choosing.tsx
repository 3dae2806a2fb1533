/** Takes to choose from: pointing at one tries it, a click chooses it. */

import type { ComponentChildren, RefObject } from "preact";
import { Button } from "./controls";
import { t } from "./words";

/** All takes of a round. */
export function TakeList(props: {
  /** Rounds that were chosen so far. */
  rounds: number;
  waits?: boolean;
  onTakeBack: () => void;
  /** A button each. */
  children: ComponentChildren[];
}) {
  const { rounds } = props;
  return (
    <>
      <p class="lead">{t(rounds ? "takes.finer" : "takes.first")}</p>
      <ol class={`takes ${props.waits ? "waits" : ""}`} aria-label={t("takes")}>
        {props.children.map((take, i) => <li key={i}>{take}</li>)}
      </ol>
      <div class="row between">
        <span class="quiet">{t("takes.round", { round: rounds + 1 })}</span>
        {rounds > 0 && <Button icon="undo" kind="quiet" onClick={props.onTakeBack}>{t("takes.back")}</Button>}
      </div>
    </>
  );
}

/** One take, which its page draws. */
export function TakeButton(props: {
  canvas: RefObject<HTMLCanvasElement | null>;
  number: number;
  word: string;
  /** Read aloud, and shown on hovering, where number and word do not say all. */
  label?: string | undefined;
  isNow?: boolean;
  isWaiting?: boolean;
  hasKey?: boolean;
  onChoose: () => void;
  onTry: () => void;
  onLeave: () => void;
}) {
  const { number, label, isWaiting = false } = props;
  return (
    <button
      type="button"
      class="take"
      disabled={isWaiting}
      aria-label={label}
      aria-keyshortcuts={props.hasKey ? String(number) : undefined}
      title={isWaiting ? "" : label}
      onClick={props.onChoose}
      onPointerEnter={(event) => event.pointerType === "mouse" && props.onTry()}
      onPointerLeave={props.onLeave}
      onFocus={props.onTry}
      onBlur={props.onLeave}
    >
      <canvas ref={props.canvas} width={336} height={189} aria-hidden="true" />
      <span>
        <b>{number}</b> {props.word}
        {props.isNow && <em>{t("takes.now")}</em>}
      </span>
    </button>
  );
}
