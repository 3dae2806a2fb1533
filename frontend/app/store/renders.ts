/** What is being written, and what was. */

import { computed, signal } from "@preact/signals";
import { ApiError, api } from "../api";
import { t } from "../text";
import type { Render, RenderRequest, ToldRender } from "../types";
import { isSaved } from "./project";
import { complain, tell } from "./session";

export const renders = signal<Render[]>([]);
export const running = computed(() =>
  renders.value.filter((one) => one.state === "running" || one.state === "waiting"),
);

export async function fetchRenders(): Promise<void> {
  renders.value = await api.renders();
}

/** Take in how a render stands. */
export function hearOf(render: ToldRender): void {
  if (render.state === "removed") {
    renders.value = renders.value.filter((one) => one.id !== render.id);
    return;
  }
  const before = renders.value.find((one) => one.id === render.id);
  renders.value = before
    ? renders.value.map((one) => (one.id === render.id ? render : one))
    : [...renders.value, render];
  if (before?.state === render.state) return;
  if (render.state === "done" && before) tell(t("queue.finished", { output: render.output }));
  if (render.state === "failed" && before) tell(t("queue.broke", { output: render.output }), "problem");
}

/** Render what is said here: not what the server holds, where the last of it could not be saved. */
export async function renderSaved(id: string, request: RenderRequest): Promise<Render> {
  if (!(await isSaved())) throw new ApiError(0, { detail: "", key: "export.unsaved", values: {} });
  return api.render(id, request);
}

async function doing(what: Promise<Render | null>): Promise<void> {
  try {
    const found = await what;
    if (found) hearOf(found);
    else await fetchRenders();
  } catch (error) {
    complain(error);
  }
}

export const cancel = (id: string): Promise<void> => doing(api.cancel(id));
export const resume = (id: string): Promise<void> => doing(api.resume(id));
export const forget = (id: string): Promise<void> => doing(api.forget(id));
