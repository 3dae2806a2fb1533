/** Text for elsewhere. */

/**
 * Copy the text of an element; whether it could be. Where not, it stays marked, to be copied by hand.
 *
 * Pages without TLS have no clipboard of their own, but can copy what is marked.
 */
export async function copyText(element: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(element.textContent ?? "");
    return true;
  } catch {
    getSelection()?.selectAllChildren(element);
    return document.execCommand("copy");
  }
}
