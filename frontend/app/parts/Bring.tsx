/** The first view: choose a composite and a mask, or two layers. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { address } from "../api";
import {
  SLOTS,
  aimAt,
  browse,
  canOpen,
  choose,
  currentSlot,
  drop,
  isOpening,
  listing,
  sending,
  setWay,
  slots,
  start,
  startBrought,
  takeOut,
  way,
  type Slot,
} from "../store/bringing";
import { closeClip, fetchOpened, opened } from "../store/opened";
import { reopen } from "../store/project";
import { complain, session } from "../store/session";
import { bytes, t } from "../text";
import type { Entry, OpenClip } from "../types";
import { Button, Progress, Segments } from "../../src/page/controls";
import { useDropping } from "../../src/page/files";
import { Icon } from "../../src/page/icons";

export function Bring() {
  useEffect(() => {
    void browse("");
    void fetchOpened();
  }, []);
  const { isOver, handlers } = useDropping((files) => files.forEach((file) => void drop(file)));
  return (
    <main class={`bring ${isOver.value ? "over" : ""}`} {...handlers}>
      <section class="wanted" aria-label={t("bring.chosen")}>
        <h1>{t("bring.title")}</h1>
        <p class="lead">{t(session.value?.remote ? "bring.lead-remote" : "bring.lead")}</p>
        <Segments
          label={t("bring.way")}
          value={way.value}
          choices={[
            { value: "composite", label: t("bring.composite"), icon: "picture" },
            { value: "layers", label: t("bring.layers"), icon: "layers" },
          ]}
          onChange={setWay}
        />
        <div class="slots">
          {SLOTS[way.value].map((slot) => <SlotBox key={slot} slot={slot} />)}
        </div>
        <Uploads />
        <div class="row">
          <Button kind="primary" disabled={!canOpen.value || isOpening.value} onClick={() => void startBrought()}>
            {t(isOpening.value ? "bring.opening" : "bring.open")}
          </Button>
        </div>
        <OpenClips />
        {session.value?.demo && (
          <aside class="demo">
            <h2>{t("demo.title")}</h2>
            <p class="quiet">{t("demo.lead")}</p>
            <div class="row">
              <Button icon="play" onClick={() => void start({ demo: true })}>{t("demo.open")}</Button>
            </div>
          </aside>
        )}
      </section>
      <Files />
    </main>
  );
}

/** What the server holds open: to go on with it, or to close it. */
function OpenClips() {
  if (opened.value.length === 0) return null;
  return (
    <section class="opened" aria-label={t("opened")}>
      <h2>{t("opened")}</h2>
      <ul>
        {opened.value.map((one) => <OpenRow key={one.id} clip={one} />)}
      </ul>
    </section>
  );
}

function OpenRow({ clip }: { clip: OpenClip }) {
  const shut = (): void => void closeClip(clip.id, clip.name, clip.sent, clip.saved);
  const key = (event: KeyboardEvent): void => {
    if (event.key === "Delete" || event.key === "Backspace") shut();
  };
  return (
    <li class="entry-row" onKeyDown={key}>
      <button type="button" class="entry" onClick={() => void reopen(clip.id).catch(complain)}>
        <span class="name">{clip.name}</span>
        <span class="quiet">{t(`opened.${clip.state}`, { share: Math.round(100 * clip.read) })}</span>
      </button>
      <Button icon="close" kind="quiet" title={t("opened.close", { name: clip.name })} onClick={shut} />
    </li>
  );
}

function SlotBox({ slot }: { slot: Slot }) {
  const files = slots.value[slot] ?? [];
  const isNext = currentSlot.value === slot;
  return (
    <div class={`slot ${isNext ? "next" : ""} ${files.length ? "filled" : ""}`}>
      <button type="button" class="title" aria-pressed={isNext} onClick={() => aimAt(slot)}>
        <b>{t(`slot.${slot}`)}</b>
        <span class="quiet">{t(`slot.${slot}.help`)}</span>
      </button>
      {files.map((file) => (
        <div key={file.path} class="file">
          <Glance path={file.path} />
          <span class="name" title={file.path}>{file.name}</span>
          <Button icon="close" kind="quiet" title={t("bring.take-out", { name: file.name })} onClick={() => takeOut(slot, file.path)} />
        </div>
      ))}
    </div>
  );
}

function Glance({ path }: { path: string }) {
  const failed = useSignal(false);
  if (failed.value) return <span class="glance"><Icon name="video" size={20} /></span>;
  return <img class="glance" src={address.fileGlance(path, 96)} alt="" loading="lazy" onError={() => (failed.value = true)} />;
}

function Uploads() {
  if (sending.value.length === 0) return null;
  return (
    <ul class="uploads" aria-label={t("bring.sending")}>
      {sending.value.map((one) => (
        <li key={one.name}>
          <span class="row between">
            <span>{one.name}</span>
            <span class="quiet">{bytes(one.sent)} / {bytes(one.total)}</span>
            <Button icon="cancel" kind="quiet" title={t("bring.stop-sending", { name: one.name })} onClick={() => one.control.abort()} />
          </span>
          <Progress value={one.total ? one.sent / one.total : null} label={t("bring.sending-file", { name: one.name })} />
        </li>
      ))}
    </ul>
  );
}

function Files() {
  const now = listing.value;
  const crumbs = now?.path ? now.path.split("/") : [];
  return (
    <section class="browser" aria-label={t("files")}>
      <nav class="crumbs" aria-label={t("files.path")}>
        <button type="button" onClick={() => void browse("")}>
          <Icon name="home" /> {session.value?.folder || t("files.folder")}
        </button>
        {crumbs.map((name, i) => (
          <button key={i} type="button" onClick={() => void browse(crumbs.slice(0, i + 1).join("/"))}>
            {name}
          </button>
        ))}
      </nav>
      <div class="list">
        {now && now.parent !== null && (
          <button type="button" class="entry" onClick={() => void browse(now.parent ?? "")}>
            <span class="glance"><Icon name="up" size={20} /></span>
            <span class="name">{t("files.up")}</span>
          </button>
        )}
        {now?.entries.map((entry) => <EntryRow key={entry.path} entry={entry} />)}
        {now && now.entries.length === 0 && <p class="quiet">{t("files.empty")}</p>}
        {now?.truncated && <p class="quiet">{t("files.truncated")}</p>}
      </div>
      <p class="quiet drop"><Icon name="download" /> {t("files.drop")}</p>
    </section>
  );
}

const SEEN = new Set(["video", "picture", "sequence"]);

function EntryRow({ entry }: { entry: Entry }) {
  const facts = [
    t(`files.kind.${entry.kind}`),
    entry.frames ? t("files.frames", { count: entry.frames }) : "",
    entry.kind === "folder" ? "" : bytes(entry.bytes),
  ];
  const isChosen = Object.values(slots.value).some((files) => files?.some((one) => one.path === entry.path));
  return (
    <div class={`entry-row ${isChosen ? "chosen" : ""}`}>
      <button type="button" class="entry" disabled={entry.kind === "other"} onClick={() => choose(entry)}>
        {SEEN.has(entry.kind) ? <Glance path={entry.path} /> : <span class="glance"><Icon name={entry.kind} size={20} /></span>}
        <span class="name">{entry.name}</span>
        <span class="quiet">{facts.filter(Boolean).join(" · ")}</span>
      </button>
      {entry.project && entry.kind !== "project" && (
        <Button icon="project" onClick={() => void start({ project: entry.project! })}>{t("files.go-on")}</Button>
      )}
    </div>
  );
}
