/** Take away: a video, a layer, a grade, a picture to show, a parcel. */

import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { ApiError, api } from "../api";
import { frame } from "../store/playhead";
import { job, project } from "../store/project";
import { hearOf, renderSaved } from "../store/renders";
import { complain, options, tell } from "../store/session";
import { overlay, showQueue } from "../store/view";
import { t } from "../text";
import type { Command, RenderKind, RenderRequest } from "../types";
import { useRef } from "preact/hooks";
import { copyText } from "../../src/page/copying";
import { Button } from "../../src/page/controls";
import { Icon } from "../../src/page/icons";
import { Sheet } from "./Notices";

type Offer = "video" | "layer" | "grade" | "before_after" | "bundle";
const OFFERS: readonly { offer: Offer; icon: "video" | "layers" | "target" | "wipe" | "archive" }[] = [
  { offer: "video", icon: "video" },
  { offer: "layer", icon: "layers" },
  { offer: "grade", icon: "target" },
  { offer: "before_after", icon: "wipe" },
  { offer: "bundle", icon: "archive" },
];
const GRADES: readonly RenderKind[] = ["cube", "dctl", "cdl", "edl", "otio"];
const SUFFIXES: Record<string, string> = {
  layer: ".mov",
  cube: ".cube",
  dctl: ".dctl",
  cdl: ".cdl",
  edl: ".edl",
  otio: ".otio",
  bundle: ".zip",
};

export function Export() {
  const offer = useSignal<Offer>("video");
  const grade = useSignal<RenderKind>("cube");
  const isClip = useSignal(true);
  const output = useSignal("");
  const overwrite = useSignal(false);
  const codec = useSignal("");
  const crf = useSignal("");
  const audio = useSignal("copy");
  const busy = useSignal(false);
  const command = useSignal<Command | null>(null);

  const kind = useComputed<RenderKind>(() => (offer.value === "grade" ? grade.value : offer.value));
  const request = useComputed<RenderRequest>(() => {
    const chosen: Record<string, unknown> = {};
    if (kind.value === "video") {
      if (codec.value) chosen.codec = codec.value;
      if (crf.value) chosen.crf = Number(crf.value);
      if (audio.value !== "copy") chosen.audio = audio.value;
    }
    if (kind.value === "before_after") {
      if (isClip.value) chosen.clip = true;
      else chosen.frame = frame.value;
    }
    if (kind.value === "bundle") chosen.frame = frame.value;
    const name = output.value.trim();
    return { kind: kind.value, output: name || null, overwrite: overwrite.value, options: chosen };
  });

  useSignalEffect(() => {
    const [open, body] = [project.value, request.value];
    void job.value;
    if (!open) return;
    const timer = window.setTimeout(() => {
      api
        .command(open.id, body)
        .then((found) => (command.value = found))
        .catch(() => (command.value = null)); // such as of a name that cannot be
    }, 200);
    return () => window.clearTimeout(timer);
  });

  const send = async (): Promise<void> => {
    const open = project.value;
    if (!open) return;
    busy.value = true;
    try {
      hearOf(await renderSaved(open.id, request.value));
      overlay.value = null;
      showQueue.value = true;
    } catch (error) {
      if (error instanceof ApiError && error.refusal.key === "server.exists") overwrite.value = false;
      complain(error);
    } finally {
      busy.value = false;
    }
  };

  return (
    <Sheet title={t("export")}>
      <div class="export">
        <div class="offers" role="radiogroup" aria-label={t("export.what")}>
          {OFFERS.map((one) => (
            <label key={one.offer} class={one.offer === offer.value ? "chosen" : ""}>
              <input type="radio" name="offer" checked={one.offer === offer.value} onChange={() => (offer.value = one.offer)} />
              <Icon name={one.icon} size={20} />
              <span>
                <b>{t(`export.${one.offer}`)}</b>
                <small>{t(`export.${one.offer}.help`)}</small>
              </span>
            </label>
          ))}
        </div>
        <div class="form">
          {offer.value === "grade" && (
            <label class="field">
              <span class="name">{t("export.format")}</span>
              <select value={grade.value} onChange={(event) => (grade.value = event.currentTarget.value as RenderKind)}>
                {GRADES.map((one) => <option key={one} value={one}>{t(`render.kind.${one}`)}</option>)}
              </select>
            </label>
          )}
          {offer.value === "before_after" && (
            <label class="field">
              <span class="name">{t("export.format")}</span>
              <select value={isClip.value ? "clip" : "picture"} onChange={(event) => (isClip.value = event.currentTarget.value === "clip")}>
                <option value="clip">{t("export.clip")}</option>
                <option value="picture">{t("export.picture", { frame: frame.value })}</option>
              </select>
            </label>
          )}
          {offer.value === "video" && (
            <>
              <label class="field">
                <span class="name">{t("export.codec")}</span>
                <input list="codecs" value={codec.value} placeholder={t("export.as-input")} onInput={(event) => (codec.value = event.currentTarget.value)} />
                <datalist id="codecs">
                  {["libx264", "libx265", "libvpx-vp9", "libsvtav1", "prores_ks", "dnxhd", "ffv1"].map((one) => <option key={one} value={one} />)}
                </datalist>
              </label>
              <label class="field">
                <span class="name">{t("export.crf")}</span>
                <input type="number" min={0} max={63} value={crf.value} placeholder={String(usualOf("crf") ?? 16)} onInput={(event) => (crf.value = event.currentTarget.value)} />
              </label>
              {project.value?.audio !== false && (
                <label class="field">
                  <span class="name">{t("export.audio")}</span>
                  <select value={audio.value} onChange={(event) => (audio.value = event.currentTarget.value)}>
                    {["copy", "aac", "none"].map((one) => <option key={one} value={one}>{t(`export.audio.${one}`)}</option>)}
                  </select>
                </label>
              )}
            </>
          )}
          <label class="field">
            <span class="name">{t("export.output")}</span>
            <input value={output.value} placeholder={t("export.usual", { suffix: SUFFIXES[kind.value] ?? "" })} onInput={(event) => (output.value = event.currentTarget.value)} />
          </label>
          <label class="check">
            <input type="checkbox" checked={overwrite.value} onChange={(event) => (overwrite.value = event.currentTarget.checked)} />
            {t("export.overwrite")}
          </label>
          {command.value?.command && <CommandLine command={command.value} />}
        </div>
      </div>
      <footer class="row end">
        <Button onClick={() => (overlay.value = null)}>{t("cancel")}</Button>
        <Button kind="primary" icon="export" disabled={busy.value} onClick={() => void send()}>{t("export.start")}</Button>
      </footer>
    </Sheet>
  );
}

function usualOf(name: string): unknown {
  return options.value.find((one) => one.name === name)?.default;
}

/** The same, on the command line. */
function CommandLine({ command }: { command: Command }) {
  const code = useRef<HTMLElement>(null);
  const copy = async (): Promise<void> => {
    if (await copyText(code.current!)) tell(t("export.copied"));
    else tell(t("export.not-copied"), "problem");
  };
  return (
    <div class="command">
      <span class="name" id="command">{t("export.command")}</span>
      <div class="row">
        <code ref={code} tabIndex={0} role="group" aria-labelledby="command">{command.command}</code>
        <Button icon="copy" title={t("export.copy")} onClick={() => void copy()} />
      </div>
    </div>
  );
}
