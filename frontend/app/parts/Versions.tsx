/** Named versions of what was said. */

import { useSignal } from "@preact/signals";
import { document_, dropVersion, restoreVersion, saveVersion, unnamed } from "../store/project";
import { moment, t } from "../text";
import { Button } from "../../src/page/controls";

export function Versions() {
  const name = useSignal("");
  /** The version that is asked about: whether it shall be replaced. */
  const asked = useSignal<string | null>(null);
  const versions = document_.value?.versions ?? [];
  const save = (event: Event): void => {
    event.preventDefault();
    const wanted = name.value.trim() || unnamed.value;
    if (versions.some((one) => one.name === wanted)) asked.value = wanted;
    else keep(wanted);
  };
  const keep = (wanted: string): void => {
    saveVersion(wanted);
    name.value = "";
    asked.value = null;
  };
  return (
    <>
      <form class="row" onSubmit={save}>
        <input
          type="text"
          maxLength={80}
          aria-label={t("versions.name")}
          placeholder={unnamed.value}
          value={name.value}
          onInput={(event) => {
            name.value = event.currentTarget.value;
            asked.value = null;
          }}
        />
        <button type="submit" class="button"><span>{t("versions.save")}</span></button>
      </form>
      {asked.value !== null && (
        <div class="row" role="alert">
          <span>{t("versions.exists", { name: asked.value })}</span>
          <Button kind="primary" onClick={() => keep(asked.value!)}>{t("versions.replace")}</Button>
          <Button onClick={() => (asked.value = null)}>{t("cancel")}</Button>
        </div>
      )}
      {versions.length === 0 && <p class="quiet">{t("versions.none")}</p>}
      <ul class="versions">
        {versions.map((version) => (
          <li key={version.name}>
            <button type="button" class="title" title={t("versions.restore")} onClick={() => restoreVersion(version.name)}>
              <b>{version.name}</b>
              <span class="quiet">{moment(version.saved)}</span>
            </button>
            <Button icon="trash" kind="quiet" title={t("versions.drop", { name: version.name })} onClick={() => dropVersion(version.name)} />
          </li>
        ))}
      </ul>
    </>
  );
}
