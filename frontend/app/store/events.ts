/** What the server tells by itself; events are hints, the state is fetched. */

import { address } from "../api";
import type { Render, Shots } from "../types";
import { askSoon, forgetColors } from "./answers";
import { mapsOf } from "./maps";
import { forgetPictures } from "./pictures";
import { frame, refreshShown, speed } from "./playhead";
import { hearOfRevision, project, refresh } from "./project";
import { fetchRenders, hearOf } from "./renders";
import { complain, tell } from "./session";
import { t } from "../text";

const AGAIN_MS = 2000;

/** Listen until the page goes. */
export function listen(): void {
  const source = new EventSource(address.events);
  let wasOpen = false;
  source.onopen = () => {
    if (wasOpen) {
      void refresh().catch(complain);
      tell(t("page.back"));
    }
    wasOpen = true;
    void fetchRenders().catch(complain);
  };
  source.onerror = () => {
    // A browser tries again by itself, unless the answer was no stream at all.
    if (source.readyState === EventSource.CLOSED) window.setTimeout(listen, AGAIN_MS);
  };
  const on = <T>(name: string, heard: (data: T) => void): void =>
    source.addEventListener(name, (event) => heard(JSON.parse((event as MessageEvent<string>).data) as T));

  on<Pick<NonNullable<typeof project.value>, "id" | "state" | "progress" | "error">>("project", (data) => {
    const open = project.value;
    if (open?.id !== data.id) return;
    const wasOpening = open.state === "opening";
    const restarts = open.state === "ready" && data.state === "reading";
    project.value = { ...open, ...data };
    if (restarts) startOver(data.id);
    if (wasOpening || data.state !== open.state) void refresh().catch(complain);
  });
  on<{ id: string; first: number; last: number }>("maps", ({ id, first, last }) => {
    if (project.value?.id !== id) return;
    const maps = mapsOf(id);
    maps.forget(first, last);
    if (!speed.value && frame.value >= first && frame.value <= last) {
      void maps.need(frame.value).catch(complain);
    }
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
  on("bye", () => tell(t("page.bye"), "problem"));
}

/** Masks or placement have changed: pictures and maps are those of another picture. */
export function startOver(id: string): void {
  forgetPictures();
  forgetColors();
  mapsOf(id).clear();
  refreshShown();
}
