/** Where the picture lies in the canvas: from places of the one to places of the other. */

import type { Mode, Place } from "../index";

export interface Layout {
  /** Canvas pixels (of the device) to one of the full picture. */
  scale: number;
  /** Place of the picture's corner in the canvas, in canvas pixels. */
  offset: [number, number];
  /** Canvas pixels of one of the halves: the whole where nothing stands side by side. */
  pane: number;
}

/**
 * Lay a picture into a canvas.
 *
 * @param zoom CSS pixels to one of the picture; null fits it in.
 * @param center place of the picture in the middle.
 * @param ratio device pixels to a CSS pixel.
 */
export function layOut(
  canvas: { width: number; height: number },
  picture: { width: number; height: number },
  mode: Mode,
  zoom: number | null,
  center: Place,
  ratio: number,
): Layout {
  const pane = mode === "sides" ? canvas.width / 2 : canvas.width;
  const margin = 12 * ratio;
  const fit = Math.min(
    Math.max(1, pane - 2 * margin) / picture.width,
    Math.max(1, canvas.height - 2 * margin) / picture.height,
  );
  if (zoom === null) {
    const offset: Place = [(pane - fit * picture.width) / 2, (canvas.height - fit * picture.height) / 2];
    return { scale: fit, offset: [Math.round(offset[0]), Math.round(offset[1])], pane };
  }
  const scale = zoom * ratio;
  const along = (size: number, length: number, middle: number): number => {
    const free = size - scale * length;
    // What is smaller than the canvas stays in its middle; what is larger fills it.
    if (free >= 0) return Math.round(free / 2);
    return Math.round(Math.min(margin, Math.max(free - margin, size / 2 - scale * middle)));
  };
  return {
    scale,
    offset: [along(pane, picture.width, center[0]), along(canvas.height, picture.height, center[1])],
    pane,
  };
}

/** The place of the picture under a place of the canvas (CSS pixels). */
export function placeAt(layout: Layout, x: number, y: number, ratio: number): Place {
  const across = (x * ratio) % layout.pane;
  return [(across - layout.offset[0]) / layout.scale, (y * ratio - layout.offset[1]) / layout.scale];
}

/** The place of the canvas (CSS pixels) of a place of the picture, in the last pane. */
export function canvasAt(layout: Layout, at: Place, ratio: number, pane: number): Place {
  return [
    (layout.offset[0] + layout.scale * at[0] + pane * layout.pane) / ratio,
    (layout.offset[1] + layout.scale * at[1]) / ratio,
  ];
}
