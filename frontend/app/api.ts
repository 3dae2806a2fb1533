/** Calls of the server; addresses are relative, since the app may stand below a path. */

import type {
  Command,
  Document,
  GuideAnswer,
  Listing,
  OpenClip,
  Opening,
  OptionRow,
  PixelAnswer,
  PriorAnswer,
  Project,
  Refusal,
  Render,
  RenderRequest,
  Session,
  TakesAnswer,
} from "./types";
import type { Guide, Kept } from "../src/index";

/** A call that was refused, or that no server answered (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly refusal: Refusal,
  ) {
    super(refusal.detail);
    this.name = "ApiError";
  }
}

let csrf = "";

/** Tell what every change of something carries. */
export function useCsrf(token: string): void {
  csrf = token;
}

/** How often and after how long is asked again what the server has not come to yet. */
const TRIES = 200;
const AGAIN_MS = 500;
/** After which nothing is waited for that was to be saved: a connection may be gone without a word. */
const SAVED_MS = 30_000;

async function fetched(path: string, options: RequestInit = {}): Promise<Response> {
  for (let tries = 1; ; tries++) {
    try {
      return await fetchedOnce(path, options);
    } catch (error) {
      const isEarly = error instanceof ApiError && error.refusal.key === "server.not-yet";
      if (!isEarly || tries === TRIES || options.signal?.aborted) throw error;
      await new Promise((resolve) => window.setTimeout(resolve, AGAIN_MS));
      options.signal?.throwIfAborted();
    }
  }
}

async function fetchedOnce(path: string, options: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    unreachable(error);
  }
  if (response.ok) return response;
  const told = (await response.json().catch(() => null)) as Partial<Refusal> | null;
  const detail = typeof told?.detail === "string" ? told.detail : `HTTP ${response.status}`;
  throw new ApiError(response.status, {
    detail,
    key: told?.key ?? null,
    values: told?.values ?? {},
  });
}

/** No whole answer came; what was given up by us is told as it is. */
function unreachable(error: unknown): never {
  if (error instanceof DOMException && error.name === "AbortError") throw error;
  throw new ApiError(0, { detail: "", key: "page.unreachable", values: {} });
}

async function asked<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetched(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

async function told<T>(
  method: "POST" | "PUT" | "DELETE",
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const response = await fetched(path, {
    method,
    headers: { "content-type": "application/json", "x-csrf-token": csrf },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  });
  const text = await response.text().catch(unreachable);
  return (text ? JSON.parse(text) : null) as T;
}

export type Size = "preview" | "full" | "thumb";

const query = (values: Record<string, string | number>): string =>
  new URLSearchParams(Object.entries(values).map(([k, v]) => [k, String(v)])).toString();

/** Addresses of pictures. */
/** Pictures of a clip that may be opened anew, as where it is placed otherwise, name which opening they are of: a
 * browser shows an address that it knows again without asking. */
export const address = {
  fileGlance: (path: string, lines = 120) => `api/files/glance?${query({ path, lines })}`,
  glance: ({ id, openings }: Project) => `api/projects/${id}/glance?${query({ of: openings })}`,
  frame: (id: string, frame: number, size: Size, as: "exact" | "fast") =>
    `api/projects/${id}/frames/${frame}?${query({ size, as })}`,
  matte: (id: string, frame: number, size: Size, object: number) =>
    `api/projects/${id}/frames/${frame}/matte?${query({ size, object })}`,
  rendered: (id: string, frame: number, size: Size) =>
    `api/projects/${id}/rendered/${frame}?${query({ size })}`,
  layer: ({ id, openings }: Project, layer: "foreground" | "background", frame: number) =>
    `api/projects/${id}/layers/${layer}/frames/${frame}?${query({ of: openings })}`,
  file: (render: string, index: number) => `api/renders/${render}/files/${index}`,
  events: "api/events",
};

export const api = {
  session: () => asked<Session>("api/session"),
  signIn: (token: string) => told<null>("POST", "api/session", { token }),
  catalogue: (language: string) => asked<Record<string, string>>(`api/catalogue/${language}`),
  options: () => asked<OptionRow[]>("api/options"),
  prior: (project: string) => asked<PriorAnswer>(`api/prior?${query({ project })}`),

  files: (path: string) => asked<Listing>(`api/files?${query({ path })}`),
  find: (name: string, bytes: number, head: string) =>
    told<{ path: string | null }>("POST", "api/files/find", { name, bytes, head }),
  beginUpload: (name: string, bytes: number) =>
    told<{ upload: string; chunk_bytes: number }>("POST", "api/uploads", { name, bytes }),
  sendChunk: async (upload: string, offset: number, chunk: Blob, signal?: AbortSignal) => {
    const response = await fetched(`api/uploads/${upload}?${query({ offset })}`, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream", "x-csrf-token": csrf },
      body: chunk,
      ...(signal ? { signal } : {}),
    });
    return (await response.json()) as { received: number; path: string | null };
  },
  dropUpload: (upload: string) => told<null>("DELETE", `api/uploads/${upload}`),

  open: (what: Opening) => told<Project>("POST", "api/projects", what),
  projects: () => asked<OpenClip[]>("api/projects"),
  project: (id: string) => asked<Project>(`api/projects/${id}`),
  close: (id: string) => told<null>("DELETE", `api/projects/${id}`),
  save: (id: string, revision: number, document: Document, mark: string) =>
    told<{ revision: number; digest: string; restarted: boolean }>(
      "PUT",
      `api/projects/${id}/document`,
      { revision, document, mark },
      AbortSignal.timeout(SAVED_MS),
    ),
  maps: async (id: string, first: number, count: number, signal?: AbortSignal) => {
    const path = `api/projects/${id}/maps?${query({ first, count })}`;
    return (await fetched(path, signal ? { signal } : {})).arrayBuffer();
  },
  /** Colors (P, 3) of a foreground and the frame that they are of; without one, the server says. */
  colors: async (id: string, frame: number | null, object: number) => {
    const path = `api/projects/${id}/colors?${query({ object, ...(frame === null ? {} : { frame }) })}`;
    const response = await fetched(path);
    const colors = Float64Array.from(new Float32Array(await response.arrayBuffer()));
    return { colors, frame: Number(response.headers.get("x-frame") ?? frame) };
  },
  picture: async (path: string, signal?: AbortSignal) =>
    (await fetched(path, signal ? { signal } : {})).blob(),
  /** Frames to be played, with their mattes, as far as the server has them at hand. */
  played: async (id: string, first: number, count: number, step: number, signal?: AbortSignal) => {
    const path = `api/projects/${id}/frames?${query({ first, count, step })}`;
    return (await fetched(path, signal ? { signal } : {})).arrayBuffer();
  },
  pixel: (id: string, frame: number, x: number, y: number, signal?: AbortSignal) =>
    asked<PixelAnswer>(`api/projects/${id}/frames/${frame}/pixel?${query({ x, y })}`, signal),
  look: (id: string, frame: number) => told<null>("POST", `api/projects/${id}/look`, { frame }),

  guide: (
    id: string,
    body: { guide: Guide; frame: number; strength: number; keep: readonly Kept[]; move: string },
    signal?: AbortSignal,
  ) => told<GuideAnswer>("POST", `api/projects/${id}/guide`, body, signal),
  takes: (
    id: string,
    body: { guide: Guide; frame: number; object: number; count: number },
    signal?: AbortSignal,
  ) => told<TakesAnswer>("POST", `api/projects/${id}/takes`, body, signal),

  command: (id: string, body: RenderRequest) =>
    told<Command>("POST", `api/projects/${id}/command`, body),
  render: (id: string, body: RenderRequest) =>
    told<Render>("POST", `api/projects/${id}/renders`, body),
  renders: () => asked<Render[]>("api/renders"),
  cancel: (render: string) => told<Render>("POST", `api/renders/${render}/cancel`),
  resume: (render: string) => told<Render>("POST", `api/renders/${render}/resume`),
  forget: (render: string) => told<null>("DELETE", `api/renders/${render}`),
};
