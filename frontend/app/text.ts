/** The words of the page and the server's: catalogues of `words.ts`, with what the server adds. */

import { ApiError, api } from "./api";
import type { Refusal } from "./types";
import { CATALOGUES, has, language, served, t } from "./words";

export * from "./words";

/** Speak another language, with the server's words in it too. */
export async function speak(name: string): Promise<void> {
  const known = name in CATALOGUES ? name : "en";
  language.value = known;
  document.documentElement.lang = known;
  try {
    served.value = await api.catalogue(known);
  } catch {
    served.value = {}; // before signing in; the page's own words are built in
  }
}

/** What a refusal says: translated where its key is known, else as it is. */
export function said(refusal: Refusal): string {
  return refusal.key && has(refusal.key) ? t(refusal.key, refusal.values) : refusal.detail;
}

/** What went wrong, in words. */
export function trouble(error: unknown): string {
  if (error instanceof ApiError) return said(error.refusal);
  return error instanceof Error ? error.message : String(error);
}
