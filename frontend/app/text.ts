/** The words of the page and the server's: catalogues of `src/page/words.ts`, with what the server adds. */

import { ApiError, api } from "./api";
import type { Refusal } from "./types";
import { CATALOGUES, has, language, served, t } from "../src/page/words";

export * from "../src/page/words";

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

/** Whether a refusal has words of the catalogue; else its detail is the engine's, in English. */
const isTold = (refusal: Refusal): boolean => refusal.key !== null && has(refusal.key);

/** What a refusal says, below words that say what is wrong: translated where its key is known. */
export function said(refusal: Refusal): string {
  return isTold(refusal) ? t(refusal.key!, refusal.values) : refusal.detail;
}

/** The language of what {@link said} gives. */
export const spokenIn = (refusal: Refusal): string => (isTold(refusal) ? language.value : "en");

/**
 * What a refusal says by itself.
 *
 * @param heading text of the catalogue with the place of an English `detail`.
 */
export function explained(refusal: Refusal, heading: string): string {
  return isTold(refusal) ? said(refusal) : t(heading, { detail: refusal.detail });
}

/** What went wrong, in words. */
export function trouble(error: unknown): string {
  if (error instanceof ApiError) {
    return explained(error.refusal, error.status === 400 ? "trouble.refused" : "trouble.server");
  }
  return error instanceof Error ? t("trouble.page", { detail: error.message }) : String(error);
}
