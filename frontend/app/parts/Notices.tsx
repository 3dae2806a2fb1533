/** What went wrong or is done, in a corner; over a dialog while one is open, beside which nothing can be read or
 * reached. */

import type { ComponentChildren } from "preact";
import { Button, Dialog } from "../../src/page/controls";
import { Icon } from "../../src/page/icons";
import { dismiss, notices } from "../store/session";
import { overlay } from "../store/view";
import { t } from "../text";

export function Notices({ elsewhere = false }: { elsewhere?: boolean }) {
  // The region stays where a dialog shows them: what comes into one that is there is read aloud.
  return (
    <div class="notices" role="status" aria-live="polite">
      {(elsewhere ? [] : notices.value).map((one) => (
        <p key={one.id} class={one.kind}>
          {one.kind === "problem" && <Icon name="warning" />}
          <span>{one.text}</span>
          <Button icon="close" kind="quiet" title={t("close")} onClick={() => dismiss(one.id)} />
        </p>
      ))}
    </div>
  );
}

/** A dialog of the page. */
export function Sheet({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <Dialog title={title} wide onClose={() => (overlay.value = null)}>
      {children}
      <Notices />
    </Dialog>
  );
}
