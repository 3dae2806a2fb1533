/** Have the foreground cut out by one of the ways that are there. */

import { canMake, make, making } from "../store/mattes";
import { session } from "../store/session";
import { t } from "../text";
import type { Matting } from "../types";
import { Button, Progress } from "../../src/page/controls";

const WAYS: readonly Matting[] = ["chroma", "salient", "rvm"];

export function MatteMaker() {
  const known = session.value?.mattings;
  const render = making.value;
  return (
    <fieldset class="matting">
      <legend>{t("matting")}</legend>
      <p class="quiet">{t("matting.help")}</p>
      <div class="row">
        {WAYS.map((way) => (
          <Button key={way} disabled={!known?.[way] || !canMake.value} title={t(known?.[way] ? `matting.${way}.help` : "matting.missing")} onClick={() => void make(way)}>
            {t(`matting.${way}`)}
          </Button>
        ))}
      </div>
      {render?.state === "running" && (
        <Progress value={render.total ? render.done / render.total : null} label={t("matting.making")} />
      )}
    </fieldset>
  );
}
