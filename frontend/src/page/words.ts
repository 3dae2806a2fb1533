/**
 * Words and numbers in the language of the page: one catalogue a language,
 * `src/vhmae/app/catalogue/page.*.json`. No server is asked here.
 */

import { computed, signal } from "@preact/signals";
import de from "../../../src/vhmae/app/catalogue/page.de.json";
import en from "../../../src/vhmae/app/catalogue/page.en.json";

export type Catalogue = Record<string, string>;

/** Catalogues that are built in; English stands in for what a language lacks. */
export const CATALOGUES: Record<string, Catalogue> = { en, de };
export const LANGUAGE_NAMES: Record<string, string> = { en: "English", de: "Deutsch" };

export const language = signal<string>("en");
/** Words that others add to those of a language, in their place where both have one. */
export const served = signal<Catalogue>({});
const words = computed<Catalogue>(() => ({
  ...en,
  ...CATALOGUES[language.value],
  ...served.value,
}));

export type Values = Record<string, unknown>;

/** A text of the catalogue, with what stands in braces put in; numbers as the language has them. */
export function t(key: string, values: Values = {}): string {
  const text = words.value[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? number(value) : String(value);
  });
}

export const has = (key: string): boolean => key in words.value;

/** A number with at most so many digits behind the point. */
export function number(value: number, digits = 2): string {
  return new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value);
}

/** A number with its sign and exactly so many digits. */
export function signed(value: number, digits: number): string {
  const zero = Math.abs(value) < 0.5 * 10 ** -digits;
  return new Intl.NumberFormat(language.value, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: zero ? "never" : "always",
  }).format(zero ? 0 : value);
}

/** Minutes and seconds, or hours. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A day and its time, of ISO's form; nothing where it is none, as in a file written by hand. */
export function moment(iso: unknown): string {
  const at = typeof iso === "string" ? new Date(iso) : null;
  if (!at || Number.isNaN(at.valueOf())) return "";
  return new Intl.DateTimeFormat(language.value, { dateStyle: "short", timeStyle: "short" }).format(at);
}

/** A frame's place as hours, minutes, seconds and frames. */
export function timecode(frame: number, fps: number): string {
  const base = Math.max(1, Math.round(fps));
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const seconds = Math.floor(frame / base);
  return [seconds / 3600, (seconds / 60) % 60, seconds % 60, frame % base].map(two).join(":");
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let rest = value;
  let unit = 0;
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1000;
    unit++;
  }
  return `${number(rest, rest < 10 && unit ? 1 : 0)} ${units[unit]}`;
}
