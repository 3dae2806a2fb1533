/** How the picture is looked at. */

import { effect, signal } from "@preact/signals";
import type { Kind, Mode, Place } from "../../src/index";
import { projectId } from "./project";

export const mode = signal<Mode>("wipe");
/** Where the wipe stands, 0 to 1 of the picture's width. */
export const wipe = signal(0.5);
export const gain = signal(4);
export const showMatte = signal(false);
export const showPoints = signal(true);
export const showScopes = signal(innerWidth >= 1500);

/** CSS pixels to one of the full picture; null fits it into the canvas. */
export const zoom = signal<number | null>(null);
/** The place of the full picture in the middle of the canvas. */
export const center = signal<Place>([0, 0]);

/** What the next click on the picture says; null is nothing. */
export interface Armed {
  is: Kind;
  /** The place that was clicked already, of a point that needs another one. */
  at?: { place: Place; frame: number };
}
export const armed = signal<Armed | null>(null);
/** The color that a new point of that kind asks for, and how many stops. */
export const targetColor = signal("#8c8c8c");
export const stops = signal(0.5);
/** Number of the point that is chosen, from 0. */
export const chosenPoint = signal<number | null>(null);

/** What stands over the workspace. */
export type Overlay = "export" | "help" | "placement" | null;
export const overlay = signal<Overlay>(null);
export const showQueue = signal(false);

/** Places, points and what stands over the workspace are those of one clip. */
effect(() => {
  void projectId.value;
  zoom.value = null;
  center.value = [0, 0];
  armed.value = null;
  chosenPoint.value = null;
  overlay.value = null;
});
