/** Points said by clicking on the picture. */

import { withoutPointAt, type Kind, type Place, type Point } from "../../src/index";
import { takesPlace } from "../../src/page/saying";
import { frame, pause } from "../store/playhead";
import { currentObject, edit, guide, project } from "../store/project";
import { tell } from "../store/session";
import { armed, chosenPoint, stops, targetColor } from "../store/view";
import { t } from "../text";

/** Say what the next click means; the same again takes it back. */
export function arm(kind: Kind): void {
  pause();
  armed.value = armed.value?.is === kind ? null : { is: kind };
}

export function disarm(): void {
  armed.value = null;
}

const rounded = (place: Place): Place => [Math.floor(place[0]), Math.floor(place[1])];

/** The picture was clicked while a point is being said. */
export function clickedAt(where: Place): void {
  const now = armed.value;
  const open = project.value;
  if (!now || !open) return;
  const place = rounded(where);
  if (place[0] < 0 || place[1] < 0 || place[0] >= (open.width ?? 0) || place[1] >= (open.height ?? 0)) {
    tell(t("point.outside-frame"));
    return;
  }
  if (takesPlace(now.is) && !now.at) {
    armed.value = { is: now.is, at: { place, frame: frame.value } };
    return;
  }
  add(pointFrom(now.is, place, now.at ?? null));
  armed.value = null;
}

function pointFrom(kind: Kind, place: Place, first: { place: Place; frame: number } | null): Point {
  const where = { frame: first?.frame ?? frame.value, at: first?.place ?? place, is: kind };
  const object = currentObject.value === 1 ? {} : { object: currentObject.value };
  if (first) {
    const other = first.frame === frame.value ? {} : { to_frame: frame.value };
    return { ...where, to: place, ...other, ...object };
  }
  if (kind === "target") return { ...where, to: targetColor.value, ...object };
  if (kind === "brightness") return { ...where, to: stops.value, ...object };
  return { ...where, ...object };
}

function add(point: Point): void {
  chosenPoint.value = guide.value.points.length;
  edit("edit.point", { guide: { points: [...guide.value.points, point] } });
}

/** Change a point; edits that follow closely are one step. */
export function changePoint(index: number, change: Partial<Point>): void {
  const points = guide.value.points.map((one, i) => (i === index ? { ...one, ...change } : one));
  edit("edit.point-changed", { guide: { points } }, `point.${index}.${Object.keys(change).join()}`);
}

export function removePoint(index: number): void {
  edit("edit.point-removed", {
    guide: {
      points: guide.value.points.filter((_, i) => i !== index),
      choices: withoutPointAt(guide.value.choices, index),
    },
  });
  chosenPoint.value = null;
}
