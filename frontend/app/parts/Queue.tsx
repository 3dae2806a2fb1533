/** What is being written, and what was: progress, time left, cancel, resume. */

import { address } from "../api";
import { cancel, forget, renders, resume } from "../store/renders";
import { showQueue } from "../store/view";
import { duration, said, spokenIn, t } from "../text";
import type { Render } from "../types";
import { Button, Progress } from "../../src/page/controls";
import { Icon } from "../../src/page/icons";

export function Queue() {
  const rows = [...renders.value].reverse();
  return (
    <aside class="queue" aria-label={t("queue")}>
      <header class="row between">
        <h2>{t("queue")}</h2>
        <Button icon="close" kind="quiet" title={t("close")} onClick={() => (showQueue.value = false)} />
      </header>
      {rows.length === 0 && <p class="quiet">{t("queue.empty")}</p>}
      <ul>
        {rows.map((render) => (
          <Row key={render.id} render={render} />
        ))}
      </ul>
    </aside>
  );
}

const ICONS = {
  waiting: "queue",
  running: "play",
  done: "check",
  failed: "warning",
  cancelled: "cancel",
  stopped: "pause",
} as const;

function Row({ render }: { render: Render }) {
  const isGoing = render.state === "running" || render.state === "waiting";
  const canResume = render.resumable && ["cancelled", "stopped", "failed"].includes(render.state);
  const share = render.total ? render.done / render.total : null;
  return (
    <li class={`render ${render.state}`}>
      <div class="row between">
        <b class="output" title={render.output}>{render.output}</b>
        <span class="row tight">
          {isGoing && <Button icon="cancel" kind="quiet" title={t("queue.cancel", { output: render.output })} onClick={() => void cancel(render.id)} />}
          {canResume && <Button icon="resume" kind="quiet" title={t("queue.resume", { output: render.output })} onClick={() => void resume(render.id)} />}
          {!isGoing && <Button icon="close" kind="quiet" title={t("queue.forget", { output: render.output })} onClick={() => void forget(render.id)} />}
        </span>
      </div>
      <p class="quiet row">
        <Icon name={ICONS[render.state]} />
        <span>{t(`render.kind.${render.kind}`)} · {t(`render.${render.state}`)}</span>
        {render.state === "running" && render.total > 0 && (
          <span>{t("queue.frames", { done: render.done, total: render.total })}</span>
        )}
        {render.state === "running" && render.seconds_left !== null && (
          <span>{t("queue.left", { time: duration(render.seconds_left) })}</span>
        )}
      </p>
      {render.state === "running" && <Progress value={share} label={t("queue.progress", { output: render.output })} />}
      {render.error && <p class="problem" lang={spokenIn(render.error)}>{said(render.error)}</p>}
      {render.warnings.map((warning) => <p key={warning} class="note" lang="en">{warning}</p>)}
      {render.state === "done" && (
        <p class="files">
          {render.files.map((file, i) => (
            <a key={file} href={address.file(render.id, i)} download>
              <Icon name="download" /> {file.split("/").at(-1)}
            </a>
          ))}
        </p>
      )}
    </li>
  );
}
