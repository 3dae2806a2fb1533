/** Three steps for who comes for the first time, beside the demo. */

import { signal } from "@preact/signals";
import { guide } from "../store/project";
import { renders } from "../store/renders";
import { session } from "../store/session";
import { t } from "../text";
import { Button } from "../../src/page/controls";
import { Icon } from "../../src/page/icons";

const isGone = signal(false);

export function Hints() {
  if (!session.value?.demo || isGone.value) return null;
  const done = [
    guide.value.choices.length > 0,
    guide.value.points.length > 0,
    renders.value.some((one) => one.state === "done"),
  ];
  const current = done.indexOf(false);
  return (
    <section class="hints" aria-label={t("hints")}>
      <ol>
        {done.map((isDone, i) => (
          <li key={i} class={isDone ? "done" : i === current ? "now" : ""}>
            <b>{isDone ? <Icon name="check" /> : i + 1}</b>
            <span>{t(`hints.${i + 1}`)}</span>
          </li>
        ))}
      </ol>
      <Button icon="close" kind="quiet" title={t("hints.close")} onClick={() => (isGone.value = true)} />
    </section>
  );
}
