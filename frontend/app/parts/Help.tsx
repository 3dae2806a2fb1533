/** What keys do. */

import { KEYS } from "../keys";
import { overlay } from "../store/view";
import { t } from "../text";
import { Dialog } from "../../src/page/controls";

export function Help() {
  return (
    <Dialog title={t("help")} wide onClose={() => (overlay.value = null)}>
      <dl class="keys">
        {KEYS.map((one) => (
          <div key={one.shown + one.text}>
            <dt>{one.shown.split(" ").map((name) => <kbd key={name}>{name === "Space" ? t("key.space") : name}</kbd>)}</dt>
            <dd>{t(one.text)}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">{t("help.pointer")}</p>
    </Dialog>
  );
}
