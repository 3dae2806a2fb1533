/** The page: bring, then see, say and take away. */

import { MODES, type Mode } from "../src/index";
import { Bring } from "./parts/Bring";
import { Button, Progress, Section, Segments } from "../src/page/controls";
import { Diagnosis, DialsPanel } from "./parts/Dials";
import { Export } from "./parts/Export";
import { Help } from "./parts/Help";
import { Hints } from "./parts/Hints";
import { Icon, type IconName } from "../src/page/icons";
import { MatteMaker } from "./parts/MatteMaker";
import { Notices } from "./parts/Notices";
import { PlacementDialog } from "./parts/Placement";
import { Points } from "./parts/Points";
import { Queue } from "./parts/Queue";
import { Scopes } from "./parts/Scopes";
import { Objects, Settings, Strength } from "./parts/Settings";
import { SignIn } from "./parts/SignIn";
import { Takes } from "./parts/Takes";
import { Timeline } from "./parts/Timeline";
import { Versions } from "./parts/Versions";
import { Viewer, fitOrPixels, zoomBy } from "./parts/Viewer";
import { closeShown } from "./store/opened";
import { close, document_, isOpen, project, redo, redoLabel, saving, undo, undoLabel } from "./store/project";
import { running } from "./store/renders";
import { session, setLanguage, setTheme, theme } from "./store/session";
import { gain, mode, overlay, showMatte, showPoints, showQueue, showScopes, zoom } from "./store/view";
import { CATALOGUES, LANGUAGE_NAMES, language, said, spokenIn, t } from "./text";

export function App({ onEnter }: { onEnter: () => void }) {
  const who = session.value;
  if (!who) return <main class="sign-in"><p role="status">{t("loading")}</p></main>;
  return (
    <div class="app">
      <TopBar />
      {!who.signed_in ? <SignIn onEnter={onEnter} /> : project.value ? <Workspace /> : <Bring />}
      {showQueue.value && who.signed_in && <Queue />}
      {overlay.value === "export" && project.value && <Export />}
      {overlay.value === "help" && <Help />}
      {overlay.value === "placement" && project.value && <PlacementDialog />}
      <Notices elsewhere={overlay.value === "help" || (overlay.value !== null && project.value !== null)} />
    </div>
  );
}

function TopBar() {
  const open = project.value;
  const busy = running.value.length;
  return (
    <header class="top">
      <span class="brand">
        {open ? (
          <Button icon="folder" kind="quiet" title={t("top.back")} onClick={() => void close()} />
        ) : (
          <b class="mark">vhmae</b>
        )}
        {open && <Button icon="close" kind="quiet" title={t("top.close")} keys="Shift+Q" onClick={() => void closeShown()} />}
        {open && (
          <span class="clip">
            <b title={open.file ?? open.name}>{open.name}</b>
            <Saved />
          </span>
        )}
      </span>
      {open && (
        <span class="tools">
          <Button icon="undo" kind="quiet" disabled={!undoLabel.value} title={undoLabel.value ? t("undo.what", { what: t(undoLabel.value) }) : t("undo")} keys="Z" onClick={undo} />
          <Button icon="redo" kind="quiet" disabled={!redoLabel.value} title={redoLabel.value ? t("redo.what", { what: t(redoLabel.value) }) : t("redo")} keys="Shift+Z" onClick={redo} />
          <i class="bar" />
          <Segments<Mode>
            label={t("mode")}
            value={mode.value}
            iconsOnly
            choices={MODES.map((one) => ({ value: one, label: t(`mode.${one}`), icon: one as IconName }))}
            onChange={(to) => (mode.value = to)}
          />
          {mode.value === "difference" && (
            <label class="gain">
              <span class="visually-hidden">{t("mode.gain")}</span>
              <select value={gain.value} title={t("mode.gain")} onChange={(event) => (gain.value = Number(event.currentTarget.value))}>
                {[1, 2, 4, 8, 16].map((one) => <option key={one} value={one}>{`${one}×`}</option>)}
              </select>
            </label>
          )}
          <Button icon="matte" kind="quiet" pressed={showMatte.value} title={t("top.matte")} keys="M" onClick={() => (showMatte.value = !showMatte.value)} />
          <Button icon="points" kind="quiet" pressed={showPoints.value} title={t("top.points")} keys="P" onClick={() => (showPoints.value = !showPoints.value)} />
          <Button icon="scopes" kind="quiet" pressed={showScopes.value} title={t("top.scopes")} keys="O" onClick={() => (showScopes.value = !showScopes.value)} />
          <i class="bar" />
          <Button icon="minus" kind="quiet" title={t("top.zoom-out")} keys="−" onClick={() => zoomBy(1 / 1.4)} />
          <Button icon="fit" kind="quiet" pressed={zoom.value === null} title={t("top.fit")} keys="F" onClick={() => fitOrPixels()} />
          <Button icon="plus" kind="quiet" title={t("top.zoom-in")} keys="+" onClick={() => zoomBy(1.4)} />
        </span>
      )}
      <span class="end">
        <label class="language">
          <span class="visually-hidden">{t("top.language")}</span>
          <select value={language.value} title={t("top.language")} onChange={(event) => void setLanguage(event.currentTarget.value)}>
            {Object.keys(CATALOGUES).map((one) => <option key={one} value={one} lang={one}>{LANGUAGE_NAMES[one] ?? one}</option>)}
          </select>
        </label>
        <Button icon={theme.value === "dark" ? "sun" : "moon"} kind="quiet" title={t(theme.value === "dark" ? "top.light" : "top.dark")} onClick={() => setTheme(theme.value === "dark" ? "light" : "dark")} />
        {open && <Button icon="help" kind="quiet" title={t("help")} keys="?" onClick={() => (overlay.value = "help")} />}
        {session.value?.signed_in && (
          <Button icon="queue" kind="quiet" pressed={showQueue.value} title={busy ? t("top.queue-busy", { count: busy }) : t("queue")} keys="Q" onClick={() => (showQueue.value = !showQueue.value)} />
        )}
        {open && (
          <Button icon="export" kind="primary" disabled={!isOpen.value} onClick={() => (overlay.value = "export")}>{t("export.short")}</Button>
        )}
      </span>
    </header>
  );
}

function Saved() {
  const key = `saved.${saving.value}`;
  return <small class={saving.value === "failed" ? "problem" : "quiet"}>{t(key)}</small>;
}

function Workspace() {
  const open = project.value!;
  if (open.state === "failed" && open.error) {
    return (
      <main class="failed">
        <Icon name="warning" size={28} />
        <h1>{t("failed.title", { name: open.name })}</h1>
        <p lang={spokenIn(open.error)}>{said(open.error)}</p>
        {open.error.key === "server.no-matte" && <MatteMaker />}
        <Button kind="primary" onClick={() => void close()}>{t("failed.back")}</Button>
      </main>
    );
  }
  return (
    <main class={`work ${showScopes.value ? "with-scopes" : ""}`}>
      <h1 class="visually-hidden">{open.name}</h1>
      {showScopes.value && <Scopes />}
      <div class="middle">
        <Viewer />
        <Timeline />
      </div>
      <Inspector />
    </main>
  );
}

function Inspector() {
  const open = project.value!;
  const warnings = open.warnings ?? [];
  return (
    <aside class="inspector" aria-label={t("inspector")}>
      {(open.state === "opening" || open.progress.maps < 1) && (
        <div class="reading-note">
          <span class="quiet">{t(open.state === "opening" ? "page.opening-now" : "page.reading-now")}</span>
          <Progress value={open.state === "opening" ? null : open.progress.maps} label={t("page.reading-now")} />
        </div>
      )}
      <Hints />
      <Objects />
      <Section title={t("section.takes")}><Takes /></Section>
      <Section title={t("section.points")}><Points /></Section>
      <Section title={t("section.diagnosis")}><Diagnosis /></Section>
      <Section title={t("section.dials")}>
        <Strength />
        <DialsPanel />
      </Section>
      <Section title={t("section.settings")} closed><Settings /></Section>
      <Section title={t("section.versions")} closed aside={String(document_.value?.versions.length || "")}><Versions /></Section>
      {warnings.length > 0 && (
        <Section title={t("section.warnings")} closed>
          {warnings.map((one) => <p key={one} class="note" lang="en"><Icon name="warning" /> {one}</p>)}
        </Section>
      )}
    </aside>
  );
}
