/** What the server says, as it says it. */

import type { Choice, Dials, Guide, Kept, PriorFile } from "../src/index";

export interface Refusal {
  detail: string;
  key: string | null;
  values: Record<string, unknown>;
}

export interface Session {
  version: string;
  csrf: string;
  remote: boolean;
  signed_in: boolean;
  demo?: boolean;
  folder?: string;
  language: string;
  limits?: { upload_bytes: number; chunk_bytes: number };
  mattings?: Record<Matting, boolean>;
  open?: string[];
  qualities?: string[];
}

export type Matting = "chroma" | "salient" | "rvm";
export type EntryKind =
  | "folder"
  | "video"
  | "picture"
  | "sequence"
  | "archive"
  | "project"
  | "other";

export interface Entry {
  name: string;
  path: string;
  kind: EntryKind;
  bytes: number;
  modified: number | string;
  frames: number | null;
  project: string | null;
}

export interface Listing {
  path: string;
  parent: string | null;
  entries: Entry[];
  truncated: boolean;
}

/** What is left out stays as the project beside the clip has it, if there is one. */
export type Opening =
  | { project: string }
  | { composite: string; masks?: string[] }
  | { background: string; foreground: string; masks?: string[] }
  | { demo: true };

export type ProjectState = "opening" | "reading" | "ready" | "failed";

export interface Shot {
  shot: number;
  first: number;
  last: number;
}

export interface Shots {
  complete: boolean;
  upto: number;
  rows: Shot[];
}

/** Options of `vhmae harmonize` by name, where they are not the default. */
export interface Job {
  composite?: string;
  masks?: string[];
  foreground?: string;
  position?: [number, number];
  scale?: number;
  strength?: number;
  caution?: number | null;
  quality?: string;
  keep?: Kept[];
  move?: string;
  [name: string]: unknown;
}

export interface Version {
  name: string;
  /** ISO time; files that others have written may lack it. */
  saved?: string;
  job: Job;
  guide: Guide;
}

export interface Document {
  schema: 1;
  vhmae: "project";
  job: Job;
  guide: Guide;
  versions: Version[];
  view: Record<string, unknown>;
}

export interface Project {
  id: string;
  state: ProjectState;
  /** How often the clip was opened: what was fetched under another number is of another picture. */
  openings: number;
  error: Refusal | null;
  name: string;
  /** Of the project, once it is saved. */
  file: string | null;
  /** Where that file lies or will lie; null for a clip that was sent, which ends with the server. */
  place: string | null;
  layers: boolean;
  width: number | null;
  height: number | null;
  fps: number | null;
  frames: number | null;
  seconds: number | null;
  objects: number | null;
  /** What moves, in the order in which it is changed: numbers of objects, 0 is the background. */
  parts: number[] | null;
  turned: number | null;
  bits: number | null;
  audio: boolean | null;
  preview: { width: number; height: number } | null;
  grid: number;
  progress: { proxy: number; maps: number };
  /** Null while the clip is being opened, as what stands above. */
  warnings: string[] | null;
  shots: Shots | null;
  revision: number;
  document: Document;
  /** Of the document as the server has it. */
  digest: string;
}

/** One of the clips that are open. */
export interface OpenClip {
  id: string;
  name: string;
  state: ProjectState;
  /** How much of it has been read, 0 to 1. */
  read: number;
  /** It goes when it is closed. */
  sent: boolean;
  saved: boolean;
}

export interface ChangeRow {
  object: number;
  shot: number | null;
  change: number[];
}

export type Levels = [number, number, number];

export interface PointRow {
  point: number;
  object: number;
  shot: number | null;
  asked: string;
  composite: Levels;
  answer: Levels;
  got: Levels;
  levels_left: number;
  clipped: boolean;
  contradicts: number | null;
  goal?: Levels | null;
}

export interface DiagnosisRow {
  object: number;
  shot: number;
  nothing_to_do: boolean;
  dials: Dials;
  plain_dials?: Dials;
  deviations: Dials | null;
  change_levels: number;
  left_levels: number;
  sure?: number;
  gain?: number;
  risk?: number;
  words: string;
}

export interface GuideAnswer {
  changes: ChangeRow[];
  points: PointRow[];
  errors: (Refusal & { point?: number; choice?: number })[];
  pending: number[];
  diagnosis: DiagnosisRow[];
  warnings: string[];
}

export interface TakeRow {
  take: number;
  key: string;
  word: string;
  change: number[];
  choice: Choice;
  mean_change: number;
}

export interface TakesAnswer {
  frame: number;
  object: number;
  round: number;
  takes: TakeRow[];
}

export interface PixelAnswer {
  frame: number;
  x: number;
  y: number;
  rgb: Levels;
  hex: string;
  code: number[];
  planes: string;
  bits: number;
  matte: number[];
  mean: Levels;
  inside: boolean[];
}

export type RenderKind =
  | "video"
  | "layer"
  | "cube"
  | "dctl"
  | "cdl"
  | "edl"
  | "otio"
  | "before_after"
  | "bundle"
  | "matte";

export type RenderState = "waiting" | "running" | "done" | "failed" | "cancelled" | "stopped";
/** A render as an event tells it: one that was taken out, too. */
export type ToldRender = Render | (Omit<Render, "state"> & { state: "removed" });

export interface Render {
  id: string;
  project: string;
  kind: RenderKind;
  output: string;
  /** Paths of the folder. */
  files: string[];
  /** The same as a document names them. */
  from_project: string[];
  state: RenderState;
  done: number;
  total: number;
  seconds_left: number | null;
  error: Refusal | null;
  resumable: boolean;
  command: string;
  warnings: string[];
}

export interface RenderRequest {
  kind: RenderKind;
  output: string | null;
  overwrite?: boolean;
  options: Record<string, unknown>;
}

export interface Command {
  command: string;
  job: string;
  folder: string;
}

export interface OptionRow {
  name: string;
  help: string;
  type: string;
  choices: string[] | null;
  default: unknown;
  group: string | null;
}

export type PriorAnswer = PriorFile & { eye_levels: number; map_levels: number };
