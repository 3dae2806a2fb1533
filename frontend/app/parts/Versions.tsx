/** Named versions of what was said. */

import { useSignal } from "@preact/signals";
import { document_, dropVersion, restoreVersion, saveVersion } from "../store/project";
import { language, t } from "../text";
import { Button } from "../../src/page/controls";

export function Versions() {
  const name = useSignal("");
  const versions = document_.value?.versions ?? [];
  const save = (event: Event): void => {
    event.preventDefault();
    saveVersion(name.value.trim() || t("versions.usual", { number: versions.length + 1 }));
    name.value = "";
  };
  return (
    <>
      <form class="row" onSubmit={save}>
        <input
          type="text"
          maxLength={80}
          aria-label={t("versions.name")}
          placeholder={t("versions.usual", { number: versions.length + 1 })}
          value={name.value}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
        <button type="submit" class="button"><span>{t("versions.save")}</span></button>
      </form>
      {versions.length === 0 && <p class="quiet">{t("versions.none")}</p>}
      <ul class="versions">
        {versions.map((version) => (
          <li key={version.name}>
            <button type="button" class="title" title={t("versions.restore")} onClick={() => restoreVersion(version.name)}>
              <b>{version.name}</b>
              <span class="quiet">
                {new Intl.DateTimeFormat(language.value, { dateStyle: "short", timeStyle: "short" }).format(new Date(version.saved))}
              </span>
            </button>
            <Button icon="trash" kind="quiet" title={t("versions.drop", { name: version.name })} onClick={() => dropVersion(version.name)} />
          </li>
        ))}
      </ul>
    </>
  );
}
