/** Taking the result away. */

import { Button } from "../../../frontend/src/page/controls";
import { Icon } from "../../../frontend/src/page/icons";
import { t } from "../../../frontend/src/page/words";
import { harmonized, run, work, writeFile, written } from "../store";

export function Finish() {
  const made = written.value;
  const unread = harmonized.value?.unread ?? 0;
  return (
    <>
      {unread > 0 && <p class="note"><Icon name="warning" /> {t("live.unread", { frames: unread })}</p>}
      <Button kind="primary" icon="export" disabled={work.value !== null} onClick={() => run(writeFile)}>
        {t("live.export")}
      </Button>
      {made && (
        <>
          <p role="status">
            {t("live.written", {
              name: made.name,
              codec: t(`live.codec.${made.codec ?? "png"}`),
              sound: t(`live.sound.${made.sound}`),
            })}
          </p>
          <a class="button" href={made.address} download={made.name}>
            <Icon name="download" /> {t("live.save", { name: made.name })}
          </a>
        </>
      )}
    </>
  );
}
