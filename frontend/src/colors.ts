/**
 * The few words of color mathematics that a guide needs, in float64: `vhmae.guide.colors`.
 *
 * The basis is r, g, b, 1, r^2, g^2, b^2, rg, gb, br. A map is (3, 10), output channel by term; laid
 * out in a row it is (30,), red's terms first. Colors are sRGB-encoded, three numbers each in a row.
 */

export const TERMS = 10;
/** Numbers of a quadratic map. */
export const SIZE = 3 * TERMS;
/** Affine terms, which come first. */
export const AFFINE = 4;
/** Rec. 709's weights of red, green and blue. */
export const LUMA = [0.2126, 0.7152, 0.0722] as const;
export const LEVELS = 255;

export type Color = readonly [number, number, number];

/** Number of colors in a row of them. */
export const countOf = (colors: Float64Array): number => colors.length / 3;

export const colorAt = (colors: Float64Array, index: number): Color => [
  colors[3 * index]!,
  colors[3 * index + 1]!,
  colors[3 * index + 2]!,
];

export const lumaOf = (color: Color): number =>
  LUMA[0] * color[0] + LUMA[1] * color[1] + LUMA[2] * color[2];

/** The ten terms at one color, written from `at` on. */
export function basisInto(r: number, g: number, b: number, out: Float64Array, at: number): void {
  out[at] = r;
  out[at + 1] = g;
  out[at + 2] = b;
  out[at + 3] = 1;
  out[at + 4] = r * r;
  out[at + 5] = g * g;
  out[at + 6] = b * b;
  out[at + 7] = r * g;
  out[at + 8] = g * b;
  out[at + 9] = b * r;
}

/** The ten terms at colors: (P, 10). */
export function basis(colors: Float64Array): Float64Array {
  const count = countOf(colors);
  const out = new Float64Array(count * TERMS);
  for (let i = 0; i < count; i++) basisInto(...colorAt(colors, i), out, i * TERMS);
  return out;
}

/** Phi: what a map's 30 numbers add to one color, (3, 30). */
export function rowsAt(color: Color): Float64Array {
  const out = new Float64Array(3 * SIZE);
  for (let channel = 0; channel < 3; channel++)
    basisInto(...color, out, channel * SIZE + channel * TERMS);
  return out;
}

/** What a map (30,) adds to one color; not clipped. */
export function addedTo(color: Color, map: ArrayLike<number>): Color {
  const terms = new Float64Array(TERMS);
  basisInto(...color, terms, 0);
  const out = [0, 0, 0];
  for (let channel = 0; channel < 3; channel++)
    for (let k = 0; k < TERMS; k++) out[channel]! += terms[k]! * map[channel * TERMS + k]!;
  return out as unknown as Color;
}

/** What a map (30,) adds to colors (P, 3); not clipped. */
export function added(colors: Float64Array, map: ArrayLike<number>): Float64Array {
  const out = new Float64Array(colors.length);
  for (let i = 0; i < countOf(colors); i++) out.set(addedTo(colorAt(colors, i), map), 3 * i);
  return out;
}

/** Colors (P, 3) after a map (30,); not clipped. */
export function mapped(colors: Float64Array, map: ArrayLike<number>): Float64Array {
  const out = added(colors, map);
  for (let i = 0; i < out.length; i++) out[i]! += colors[i]!;
  return out;
}

/** sRGB value -> linear light (IEC 61966-2-1); below 0 there is none, above 1 the curve goes on. */
export function toLight(value: number): number {
  const v = Math.max(value, 0);
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

/** Linear light -> sRGB value. */
export function fromLight(light: number): number {
  const v = Math.max(light, 0);
  return v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
}

export const clip = (value: number, low = 0, high = 1): number =>
  Math.min(Math.max(value, low), high);

/** `#rrggbb` of a color. */
export const hexOf = (color: Color): string =>
  "#" +
  color
    .map((value) => Math.round(LEVELS * clip(value)).toString(16).padStart(2, "0"))
    .join("");

/** The color of `#rrggbb` or `#rgb`; null where it is none. */
export function colorOf(text: string): Color | null {
  let digits = text.trim().replace(/^#/, "");
  if (/^[0-9a-f]{3}$/i.test(digits)) digits = [...digits].map((digit) => digit + digit).join("");
  if (!/^[0-9a-f]{6}$/i.test(digits)) return null;
  const [red, green, blue] = [0, 2, 4].map((at) => parseInt(digits.slice(at, at + 2), 16) / LEVELS);
  return [red!, green!, blue!];
}
