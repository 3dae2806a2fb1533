/** Who is here, in which language and light, and what is to be told. */

import { effect, signal } from "@preact/signals";
import { ApiError, api, useCsrf } from "../api";
import { speak, trouble } from "../text";
import type { OptionRow, Session } from "../types";

export const session = signal<Session | null>(null);
export const options = signal<OptionRow[]>([]);

/** What a browser remembers of a person's wishes; nothing else is kept. */
function remembered(name: string): string | null {
  try {
    return localStorage.getItem(`vhmae.${name}`);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`vhmae.${name}`, value);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

export type Theme = "dark" | "light";
const usual: Theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
export const theme = signal<Theme>((remembered("theme") as Theme | null) ?? usual);

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});

export function setTheme(to: Theme): void {
  theme.value = to;
  remember("theme", to);
}

export async function setLanguage(to: string): Promise<void> {
  remember("language", to);
  await speak(to);
}

/** A line that is shown for a while, or until it is closed. */
export interface Notice {
  id: number;
  kind: "info" | "problem";
  text: string;
}
export const notices = signal<Notice[]>([]);
const SHOWN_MS = 6000;
let count = 0;

export function tell(text: string, kind: Notice["kind"] = "info"): void {
  if (!text || notices.value.some((one) => one.text === text)) return;
  const notice = { id: ++count, kind, text };
  notices.value = [...notices.value.slice(-3), notice];
  if (kind === "info") window.setTimeout(() => dismiss(notice.id), SHOWN_MS);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((one) => one.id !== id);
}

/** Tell what went wrong; a call that was given up is none. */
export function complain(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  if (error instanceof ApiError && error.status === 401 && session.value) {
    session.value = { ...session.value, signed_in: false };
    return;
  }
  tell(trouble(error), "problem");
}

/** Ask the server who we are. */
export async function greet(): Promise<void> {
  const found = await api.session();
  useCsrf(found.csrf);
  session.value = found;
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);
  await speak(remembered("language") ?? found.language);
  if (found.signed_in) options.value = await api.options().catch(() => []);
}

export const offers = (option: string): boolean =>
  options.value.some((one) => one.name === option);
