/** What keys do: the table that the help shows is the one that is heard. */

import { MODES } from "../src/index";
import { WORDS } from "../src/page/saying";
import { arm, disarm } from "./parts/pointing";
import { toPoint } from "./parts/Timeline";
import { fitOrPixels, zoomBy } from "./parts/Viewer";
import { frame, lastFrame, pause, seek, shuttle, stepBy, togglePlay } from "./store/playhead";
import { closeShown } from "./store/opened";
import { project, redo, shots, undo } from "./store/project";
import { choose } from "./store/takes";
import { armed, mode, overlay, showMatte, showPoints, showQueue, showScopes } from "./store/view";

interface Key {
  /** As it is written in the help. */
  shown: string;
  /** Key of the catalogue. */
  text: string;
  matches: (event: KeyboardEvent) => boolean;
  act: (event: KeyboardEvent) => void;
}

const plain = (event: KeyboardEvent): boolean => !event.ctrlKey && !event.metaKey && !event.altKey;
const key = (...names: string[]) => (event: KeyboardEvent): boolean =>
  plain(event) && names.includes(event.key.length === 1 ? event.key.toUpperCase() : event.key);
/** What a key prints, however a keyboard has it: on many, brackets need Option, or AltGr, which may count as Ctrl. */
const printed = (...names: string[]) => (event: KeyboardEvent): boolean =>
  !event.metaKey && (!event.ctrlKey || event.getModifierState("AltGraph")) && names.includes(event.key);
const command = (name: string, shift: boolean) => (event: KeyboardEvent): boolean =>
  (event.ctrlKey || event.metaKey) && event.key.toUpperCase() === name && event.shiftKey === shift;
const either = (...tests: ((event: KeyboardEvent) => boolean)[]) => (event: KeyboardEvent): boolean =>
  tests.some((test) => test(event));
const shifted = (name: string) => (event: KeyboardEvent): boolean =>
  key(name)(event) && event.shiftKey;
const unshifted = (name: string) => (event: KeyboardEvent): boolean =>
  key(name)(event) && !event.shiftKey;

export const KEYS: readonly Key[] = [
  { shown: "Space", text: "help.play", matches: key(" "), act: togglePlay },
  { shown: "J", text: "help.back", matches: key("J"), act: () => shuttle(-1) },
  { shown: "K", text: "help.stop", matches: key("K"), act: pause },
  { shown: "L", text: "help.on", matches: key("L"), act: () => shuttle(1) },
  { shown: "← →", text: "help.step", matches: key("ArrowLeft", "ArrowRight"), act: (event) => stepBy((event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1)) },
  { shown: "↑ ↓", text: "help.shot", matches: key("ArrowUp", "ArrowDown"), act: (event) => toShot(event.key === "ArrowUp" ? -1 : 1) },
  { shown: "Home End", text: "help.ends", matches: key("Home", "End"), act: (event) => { pause(); seek(event.key === "Home" ? 0 : lastFrame.value); } },
  { shown: "[ ]", text: "help.points", matches: printed("[", "]"), act: (event) => toPoint(event.key === "[" ? -1 : 1) },
  { shown: "Z", text: "help.undo", matches: either(unshifted("Z"), command("Z", false)), act: undo },
  { shown: "Shift+Z", text: "help.redo", matches: either(shifted("Z"), command("Z", true), command("Y", false)), act: redo },
  { shown: "1–6", text: "help.takes", matches: key("1", "2", "3", "4", "5", "6"), act: (event) => choose(Number(event.key)) },
  { shown: "W S D", text: "help.modes", matches: key("W", "S", "D"), act: (event) => { mode.value = ({ W: "wipe", S: "sides", D: "difference" } as const)[event.key.toUpperCase() as "W" | "S" | "D"]; } },
  { shown: "X", text: "help.before", matches: key("X"), act: () => { mode.value = mode.value === "before" ? "after" : "before"; } },
  { shown: "V", text: "help.view", matches: key("V"), act: () => { mode.value = MODES[(MODES.indexOf(mode.value) + 1) % MODES.length]!; } },
  { shown: "M", text: "help.matte", matches: key("M"), act: () => { showMatte.value = !showMatte.value; } },
  { shown: "O", text: "help.scopes", matches: key("O"), act: () => { showScopes.value = !showScopes.value; } },
  { shown: "P", text: "help.markers", matches: key("P"), act: () => { showPoints.value = !showPoints.value; } },
  { shown: "F", text: "help.fit", matches: key("F"), act: () => fitOrPixels() },
  { shown: "+ −", text: "help.zoom", matches: key("+", "=", "-"), act: (event) => zoomBy(event.key === "-" ? 1 / 1.4 : 1.4) },
  ...WORDS.map((word) => ({ shown: word.key, text: `word.${word.kind}.help`, matches: key(word.key), act: () => arm(word.kind) })),
  { shown: "R", text: "help.export", matches: key("R"), act: () => { overlay.value = "export"; } },
  { shown: "Shift+Q", text: "help.close", matches: shifted("Q"), act: () => void closeShown() },
  { shown: "Q", text: "help.queue", matches: unshifted("Q"), act: () => { showQueue.value = !showQueue.value; } },
  { shown: "?", text: "help.help", matches: key("?"), act: () => { overlay.value = "help"; } },
];

function toShot(direction: 1 | -1): void {
  const starts = shots.value.map((row) => row.first);
  const next = direction > 0 ? starts.find((at) => at > frame.value) : starts.findLast((at) => at < frame.value);
  if (next === undefined) return;
  pause();
  seek(next);
}

/** Whether keys are typed into something. */
function isTyping(event: KeyboardEvent): boolean {
  const on = event.target as HTMLElement;
  if (on.isContentEditable || on instanceof HTMLTextAreaElement || on instanceof HTMLSelectElement) return true;
  return on instanceof HTMLInputElement && !["checkbox", "radio", "range", "button"].includes(on.type);
}

/** What a control does with a key by itself is left to it. */
function isItsOwn(event: KeyboardEvent): boolean {
  const on = event.target as HTMLElement;
  const isButton = on instanceof HTMLButtonElement || on.tagName === "SUMMARY" || on.tagName === "A";
  if (isButton && (event.key === " " || event.key === "Enter")) return true;
  if (!(on instanceof HTMLInputElement)) return false;
  if (on.type === "checkbox" || on.type === "radio") {
    return event.key === " " || (on.type === "radio" && event.key.startsWith("Arrow"));
  }
  return on.type === "range" && /^(Arrow|Home|End|Page)/.test(event.key);
}

export function heard(event: KeyboardEvent): void {
  if (!project.value || event.defaultPrevented) return;
  if (event.key === "Escape" && armed.value) return disarm();
  if (overlay.value || isTyping(event) || isItsOwn(event)) return;
  const found = KEYS.find((one) => one.matches(event));
  if (!found) return;
  event.preventDefault();
  found.act(event);
}
