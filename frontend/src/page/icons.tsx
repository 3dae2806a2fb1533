/** Icons, drawn on a grid of 16: they take the color of the text. */

const PATHS = {
  after: "M2.5 3.5h11v9h-11z",
  before: "M2.5 3.5h11v9h-11zM5 6l6 4M5 10l6-4",
  wipe: "M2.5 3.5h11v9h-11zM8 2v12M10 6l2 2-2 2M6 6L4 8l2 2",
  sides: "M2 4h5v8H2zM9 4h5v8H9z",
  difference: "M6 4.2a4 4 0 1 0 0 7.6M10 4.2a4 4 0 1 1 0 7.6M8 5v6",
  matte: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11M8 5l4.5 4M8 8.5l3.5 3",
  scopes: "M2 13V3M2 13h12M4 10l2-4 2 3 2-5 3 4",
  points: "M8 2v4M8 10v4M2 8h4M10 8h4M8 8h.01",
  undo: "M6 3L2.5 6.5 6 10M3 6.5h6.5a3.5 3.5 0 0 1 0 7H7",
  redo: "M10 3l3.5 3.5L10 10M13 6.5H6.5a3.5 3.5 0 0 0 0 7H9",
  play: "M4.5 3l8 5-8 5z",
  pause: "M5 3v10M11 3v10",
  stepBack: "M11.5 3.5L6 8l5.5 4.5zM4 3.5v9",
  stepOn: "M4.5 3.5L10 8l-5.5 4.5zM12 3.5v9",
  toStart: "M13 3.5L8.5 8l4.5 4.5zM8 3.5L3.5 8 8 12.5zM2.5 3.5v9",
  toEnd: "M3 3.5L7.5 8 3 12.5zM8 3.5l4.5 4.5L8 12.5zM13.5 3.5v9",
  fit: "M2.5 5.5v-3h3M13.5 5.5v-3h-3M2.5 10.5v3h3M13.5 10.5v3h-3",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  export: "M8 10V2M5 5l3-3 3 3M3 9v4.5h10V9",
  queue: "M2.5 4h11M2.5 8h11M2.5 12h7",
  folder: "M2 4.5h4.5l1.5 2h6v6.5H2z",
  video: "M2 4h9v8H2zM11 7l3-2v6l-3-2",
  picture: "M2 3h12v10H2zM2 11l4-4 3 3 2-2 3 3M10.5 6h.01",
  sequence: "M2 5h8v8H2zM4.5 5V3H14v8h-4",
  archive: "M2.5 5.5h11V13h-11zM2 3h12v2.5H2zM6.5 8h3",
  project: "M3 2h7l3 3v9H3zM10 2v3h3M5.5 9l2 2 3.5-3.5",
  other: "M3 2h7l3 3v9H3zM10 2v3h3",
  up: "M8 13V3M4 7l4-4 4 4",
  check: "M3 8.5L6.5 12 13 4.5",
  warning: "M8 2.5l6 11H2zM8 7v3M8 12h.01",
  trash: "M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.5 9h6l.5-9",
  goto: "M3 8h9M8.5 4.5L12 8l-3.5 3.5",
  copy: "M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1",
  help: "M6 6a2 2 0 1 1 2.7 1.9c-.5.2-.7.6-.7 1.1v.5M8 12h.01",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1.5V3M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3a4.5 4.5 0 0 0 6.5 6.5z",
  home: "M2.5 7.5L8 3l5.5 4.5M4 7v6.5h8V7",
  match: "M5 8a2 2 0 1 0-4 0 2 2 0 0 0 4 0zM15 8a2 2 0 1 0-4 0 2 2 0 0 0 4 0zM6 8h4M8.5 6.5L10 8 8.5 9.5",
  target: "M8 2.5C5.5 5.5 4 7.5 4 9.5a4 4 0 0 0 8 0c0-2-1.5-4-4-7z",
  keep: "M4.5 7.5h7v6h-7zM6 7.5V5.5a2 2 0 0 1 4 0v2",
  neutral: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 2.5v11",
  brightness: "M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2",
  hue: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 8L4 4M8 8h5.5M8 8l-4 4",
  layers: "M8 2.5L14 6 8 9.5 2 6zM2.5 9.5L8 12.8l5.5-3.3",
  cancel: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM4.2 4.2l7.6 7.6",
  resume: "M3 8a5 5 0 1 1 1.5 3.5M3 13v-2.5h2.5",
  download: "M8 2v8M5 7l3 3 3-3M3 13.5h10",
  version: "M3 3h10v11l-5-3.5L3 14z",
} as const;

export type IconName = keyof typeof PATHS;

const SOLID: ReadonlySet<IconName> = new Set(["play", "stepBack", "stepOn", "toStart", "toEnd"]);

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" style={{ width: `${size / 13.6}rem`, height: `${size / 13.6}rem` }} viewBox="0 0 16 16" aria-hidden="true">
      <path
        d={PATHS[name]}
        fill={SOLID.has(name) ? "currentColor" : "none"}
        stroke="currentColor"
        stroke-width="1.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
