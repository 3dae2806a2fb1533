/** Files that are dropped. */

import { useSignal, type Signal } from "@preact/signals";

export interface Dropping {
  isOver: Signal<boolean>;
  /** Of the element that files are dropped on. */
  handlers: {
    onDragOver: (event: DragEvent) => void;
    onDragLeave: (event: DragEvent) => void;
    onDrop: (event: DragEvent) => void;
  };
}

/** A place on which files may be dropped. */
export function useDropping(onFiles: (files: readonly File[]) => void): Dropping {
  const isOver = useSignal(false);
  const onDragOver = (event: DragEvent): void => {
    event.preventDefault();
    isOver.value = true;
  };
  // What lies within is left and entered, too.
  const onDragLeave = (event: DragEvent): void => {
    const place = event.currentTarget as HTMLElement;
    if (!place.contains(event.relatedTarget as Node | null)) isOver.value = false;
  };
  const onDrop = (event: DragEvent): void => {
    event.preventDefault();
    isOver.value = false;
    onFiles([...(event.dataTransfer?.files ?? [])]);
  };
  return { isOver, handlers: { onDragOver, onDragLeave, onDrop } };
}
