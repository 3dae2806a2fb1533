/**
 * Weights as their file holds them (https://github.com/huggingface/safetensors, "Format"): eight
 * bytes of length, a JSON header, and the numbers.
 */

/** The numbers of a weights file by their names, in fp32, and what the file says of itself. */
export interface Weights {
  numbers: Map<string, Float32Array>;
  told: Record<string, string>;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/**
 * Read a weights file.
 *
 * @throws TypeError where it is none, is cut short, or holds numbers of another kind than fp16 and fp32.
 */
export function readSafetensors(bytes: Uint8Array<ArrayBuffer>): Weights {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.byteLength >= 8 ? Number(view.getBigUint64(0, true)) : Infinity;
  if (8 + length > bytes.byteLength) throw new TypeError("no safetensors file, or one that is cut short");
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<string, unknown>;
  const { __metadata__: told = {}, ...entries } = header as { __metadata__?: Record<string, string> };
  const numbers = new Map<string, Float32Array>();
  for (const [name, value] of Object.entries(entries)) {
    const { dtype, shape, data_offsets: [begin, end] } = value as unknown as Entry;
    if (dtype.startsWith("I") || dtype.startsWith("U")) continue; // what training has counted
    const count = shape.reduce((product, side) => product * side, 1);
    const from = 8 + length + begin;
    const width = { F16: 2, F32: 4 }[dtype];
    if (width === undefined) throw new TypeError(`${name} is ${dtype}; expected fp16 or fp32`);
    if (end - begin !== width * count || 8 + length + end > bytes.byteLength)
      throw new TypeError(`${name} is cut short`);
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++)
      out[i] = width === 2 ? fromHalf(view.getUint16(from + 2 * i, true)) : view.getFloat32(from + 4 * i, true);
    numbers.set(name, out);
  }
  return { numbers, told };
}

/** IEEE 754 binary16 as a number. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
