/** Mattes that are being made of what is shown, and put in their place once they are there. */

import { computed, effect, signal, untracked } from "@preact/signals";
import { ApiError, api } from "../api";
import { t } from "../text";
import type { Matting, Render, RenderRequest } from "../types";
import { document_, edit, project, projectId } from "./project";
import { hearOf, renders } from "./renders";
import { complain, tell } from "./session";

/** The render of each clip whose matte is wanted, by the clip's number. */
const wanted = signal<ReadonlyMap<string, string>>(new Map());
const render = computed(() => {
  const id = wanted.value.get(projectId.value ?? "");
  return renders.value.find((one) => one.id === id) ?? null;
});
const isAsked = signal(false);
/** The matte that is being made of the clip that is shown; one that failed or was cancelled is none. */
export const making = computed(() => {
  const state = render.value?.state;
  return state === "waiting" || state === "running" ? render.value : null;
});
export const canMake = computed(() => !isAsked.value && making.value === null);

/** Have a matte made; where one lies there already, somebody may have mended it, and is asked. */
async function asked(id: string, request: RenderRequest): Promise<Render | null> {
  try {
    return await api.render(id, { ...request, overwrite: false });
  } catch (error) {
    if (!(error instanceof ApiError) || error.refusal.key !== "server.exists") throw error;
    const isMeant = window.confirm(t("matting.replace", { path: String(error.refusal.values.path) }));
    return isMeant ? api.render(id, { ...request, overwrite: true }) : null;
  }
}

/** Have the foreground cut out by one of the ways that are there. */
export async function make(way: Matting): Promise<void> {
  const open = project.value;
  if (!open || !canMake.value) return;
  isAsked.value = true;
  try {
    const of = open.layers ? "foreground" : "composite";
    const begun = await asked(open.id, { kind: "matte", output: null, options: { way, of } });
    if (!begun) return;
    hearOf(begun);
    wanted.value = new Map(wanted.value).set(open.id, begun.id);
  } catch (error) {
    complain(error);
  } finally {
    isAsked.value = false;
  }
}

/** What is done is used, whatever is looked at by then; of a clip that was left, once it is shown again. */
effect(() => {
  const done = render.value;
  const id = projectId.value;
  if (done?.state !== "done" || !id || !document_.value) return;
  untracked(() => {
    const rest = new Map(wanted.value);
    rest.delete(id);
    wanted.value = rest;
    const file = done.from_project[0];
    if (!file) return;
    edit("edit.matte", { job: file.includes(".cutout.") ? { foreground: file } : { masks: [file] } });
    tell(t("matting.used"));
  });
});
