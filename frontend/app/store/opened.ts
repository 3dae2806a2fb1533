/** The clips that the server holds open: to be gone on with, and closed where there are too many. */

import { signal } from "@preact/signals";
import { api } from "../api";
import { t } from "../text";
import type { OpenClip } from "../types";
import { close, project } from "./project";
import { complain, tell } from "./session";

export const opened = signal<OpenClip[]>([]);

export async function fetchOpened(): Promise<void> {
  try {
    opened.value = await api.projects();
  } catch (error) {
    complain(error);
  }
}

/** Have the server let a clip go; what was said of it is saved beside it. */
export async function closeClip(id: string, name: string): Promise<void> {
  const isShown = project.value?.id === id;
  try {
    if (isShown) await close();
    await api.close(id);
    tell(t("opened.closed", { name }));
  } catch (error) {
    complain(error);
  }
  await fetchOpened();
}

/** Close the clip that is shown. */
export async function closeShown(): Promise<void> {
  const open = project.value;
  if (open) await closeClip(open.id, open.name);
}

/** Another tab has closed a clip. */
export async function hearOfClosing(id: string): Promise<void> {
  if (project.value?.id === id) {
    await close();
    tell(t("page.closed"));
  }
  await fetchOpened();
}
