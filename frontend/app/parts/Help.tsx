/** What keys do. */

import { KEYS } from "../keys";
import { t } from "../text";
import { Sheet } from "./Notices";

export function Help() {
  return (
    <Sheet title={t("help")}>
      <dl class="keys">
        {KEYS.map((one) => (
          <div key={one.shown + one.text}>
            <dt>{one.shown.split(" ").map((name) => <kbd key={name}>{name === "Space" ? t("key.space") : name}</kbd>)}</dt>
            <dd>{t(one.text)}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">{t("help.pointer")}</p>
    </Sheet>
  );
}
