/** What the server tells by itself; events are hints, the state is fetched. */

import { effect, untracked } from "@preact/signals";
import { address, api } from "../api";
import type { Render, Shots } from "../types";
import { askSoon, forgetColors } from "./answers";
import { mapsOf } from "./maps";
import { fetchOpened, hearOfClosing } from "./opened";
import { forgetPictures } from "./pictures";
import { frame, lastFrame, speed } from "./playhead";
import { hearOfRevision, isOpen, openAgain, project, projectId, refresh, restarts, save, startAnew } from "./project";
import { fetchRenders, hearOf } from "./renders";
import { complain, greet, session, tell } from "./session";
import { t } from "../text";
import { Stream, type Name, type Told } from "../worker/told";

/** Where the worker lies, with its digest: set by the build. */
declare const EVENTS_WORKER: string;

/** Follow the stream that all tabs share; some browsers of phones share nothing. */
function follow(heard: (told: Told) => void): void {
  if (typeof SharedWorker === "undefined") return void new Stream(address.events, heard);
  const { port } = new SharedWorker(EVENTS_WORKER, "vhmae-events");
  port.onmessage = (event: MessageEvent<Told>) => heard(event.data);
  window.addEventListener("pagehide", (event) => {
    if (!event.persisted) port.postMessage("gone");
  });
}

/** Listen until the page goes. */
export function listen(): void {
  let wasOpen = false;
  const opened = (): void => {
    if (wasOpen) tell(t("page.back"));
    wasOpen = true;
    void catchUp().catch(complain);
  };
  const hearers = new Map<string, (data: string) => void>();
  const on = <T>(name: Name, hear: (data: T) => void): void =>
    void hearers.set(name, (data) => hear(JSON.parse(data) as T));

  on<Pick<NonNullable<typeof project.value>, "id" | "state" | "openings" | "progress" | "error">>("project", (data) => {
    const open = project.value;
    if (!open) return void fetchOpened();
    if (open.id !== data.id) return;
    const wasOpening = open.state === "opening";
    if (!wasOpening && (data.state === "opening" || data.openings !== open.openings)) startAnew();
    const isNew = project.value !== open;
    project.value = { ...project.value!, ...data };
    if (isNew && data.state === "opening") return;
    if (isNew || wasOpening || data.state !== open.state) void refresh().catch(complain);
  });
  on<{ id: string }>("closed", ({ id }) => void hearOfClosing(id));
  on<{ id: string; first: number; last: number }>("maps", ({ id, first, last }) => {
    if (project.value?.id === id) hearOfMaps(id, first, last);
  });
  on<{ id: string; shots: Shots }>("shots", ({ id, shots }) => {
    if (project.value?.id === id) project.value = { ...project.value, shots };
  });
  on<{ id: string; frame: number }>("guide", ({ id }) => {
    if (project.value?.id === id) askSoon();
  });
  on<{ id: string; revision: number }>("document", ({ id, revision }) => {
    void hearOfRevision(id, revision).catch(complain);
  });
  on<Render>("render", hearOf);
  on("lost", () => void catchUp().catch(complain));
  on("bye", () => tell(t("page.bye"), "problem"));
  follow((told) => (told.name === "open" ? opened() : hearers.get(told.name)?.(told.data)));
}

/** The server is another one than what is shown was opened on. */
let isAnew = false;

/** Ask for all that may have been told while nobody heard, perhaps of a server that was begun anew. */
export async function catchUp(): Promise<void> {
  const now = await api.session().catch(() => null);
  if (now && now.csrf !== session.value?.csrf) {
    await greet();
    isAnew = true;
  }
  if (isAnew) {
    if (!session.value?.signed_in) return; // who signs in comes here again
    await openAgain();
    isAnew = false;
  }
  await Promise.all([fetchRenders().catch(complain), save()]); // what could not be saved was kept
  if (!project.value) return fetchOpened();
  await refresh();
  const id = projectId.value;
  if (!id || !isOpen.value) return;
  hearOfMaps(id, 0, lastFrame.value);
  askSoon();
}

/** Maps of the clip that is shown became better. */
function hearOfMaps(id: string, first: number, last: number): void {
  const maps = mapsOf(id);
  maps.markStale(first, last);
  if (!speed.value && frame.value >= first && frame.value <= last) {
    void maps.need(frame.value).catch(complain);
  }
}

/** Masks, placement or who moves have changed. */
effect(() => {
  void restarts.value;
  untracked(() => {
    forgetPictures();
    forgetColors();
    if (project.value) mapsOf(project.value.id).clear();
  });
});
