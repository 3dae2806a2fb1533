/** The clips that the server holds open: to be gone on with, and closed where there are too many. */

import { signal } from "@preact/signals";
import { api } from "../api";
import { t } from "../text";
import type { OpenClip } from "../types";
import { close, isSaved, project, revision } from "./project";
import { complain, tell } from "./session";

export const opened = signal<OpenClip[]>([]);
let asked = 0;
let answered = 0;

export async function fetchOpened(): Promise<void> {
  const number = ++asked;
  try {
    const found = await api.projects();
    if (number < answered) return; // a later question was answered before
    answered = number;
    opened.value = found;
  } catch (error) {
    complain(error);
  }
}

/** Clips that this tab is having closed: what is told of these is no news from another one. */
const closing = new Set<string>();

/** Have the server let a clip go. What was said of it is saved beside it; what was sent goes, with all that was said of it, so that
 * somebody who said something is asked. */
export async function closeClip(id: string, name: string, isSent: boolean, isSaid: boolean): Promise<void> {
  closing.add(id);
  try {
    if (project.value?.id === id && !(await isSaved())) return; // why not has been told
    if (isSent && isSaid && !window.confirm(t("opened.ask", { name }))) return;
    await api.close(id);
    if (await isLeft(id)) tell(t(isSent ? "opened.gone" : "opened.closed", { name }));
    else tell(t("opened.unsaved"), "problem");
  } catch (error) {
    complain(error);
  } finally {
    closing.delete(id);
  }
  await fetchOpened();
}

/** Close the clip that is shown. */
export async function closeShown(): Promise<void> {
  const open = project.value;
  if (open) await closeClip(open.id, open.name, open.place === null, revision.value > 1);
}

/** Another tab has closed a clip. */
export async function hearOfClosing(id: string): Promise<void> {
  if (closing.has(id)) return;
  if (project.value?.id === id) {
    const isSent = project.value.place === null;
    if (await isLeft(id)) tell(t(isSent ? "page.gone" : "page.closed"));
    else tell(t("opened.unsaved"), "problem");
  }
  await fetchOpened();
}

/** Leave a clip that the server has let go, unless something of it stands here alone. */
async function isLeft(id: string): Promise<boolean> {
  if (project.value?.id !== id) return true;
  return (await isSaved()) && close(); // what to do then is told by who asks
}
