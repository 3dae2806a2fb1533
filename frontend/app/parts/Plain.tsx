/** The picture without WebGL2: the server draws what is saved. */

import { effect, untracked, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { address, api } from "../api";
import { mapsVersion } from "../store/maps";
import { frame } from "../store/playhead";
import { isOpen, projectId, revision } from "../store/project";
import { complain } from "../store/session";
import { t } from "../text";

export function Plain() {
  const source = useSignal("");
  useEffect(() => {
    const control = new AbortController();
    const put = (to: string): void => {
      if (source.value) URL.revokeObjectURL(source.value);
      source.value = to;
    };
    // One after another: frames that go by faster than they are drawn are left out.
    let [isDrawing, isStale] = [false, false];
    const draw = async (): Promise<void> => {
      isStale = true;
      if (isDrawing) return;
      isDrawing = true;
      while (isStale && projectId.value && !control.signal.aborted) {
        isStale = false;
        try {
          const path = address.rendered(projectId.value, frame.value, "preview");
          put(URL.createObjectURL(await api.picture(path, control.signal)));
        } catch (error) {
          complain(error);
        }
      }
      isDrawing = false;
    };
    const stop = effect(() => {
      void [projectId.value, frame.value, revision.value, mapsVersion.value];
      if (isOpen.value) untracked(() => void draw());
    });
    return () => {
      stop();
      control.abort();
      put("");
    };
  }, []);
  return (
    <>
      {source.value && <img class="glance" src={source.value} alt={t("viewer.plain")} />}
      <p class="over problem">{t("viewer.no-graphics")}</p>
    </>
  );
}
