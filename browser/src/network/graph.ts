/**
 * What an ONNX graph says of itself: its metadata, off the protocol buffer
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, `ModelProto.metadata_props`).
 */

const METADATA = 14;
const [KEY, VALUE] = [1, 2];

/** The metadata of a graph. */
export function metadataOf(graph: Uint8Array): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [field, part] of fieldsOf(graph)) {
    if (field !== METADATA) continue;
    const entry = new Map([...fieldsOf(part)].map(([name, text]) => [name, new TextDecoder().decode(text)]));
    found[entry.get(KEY) ?? ""] = entry.get(VALUE) ?? "";
  }
  return found;
}

/** The fields of a message that hold bytes, by their number; others are passed over. */
function* fieldsOf(message: Uint8Array): Generator<[number, Uint8Array]> {
  let at = 0;
  const varint = (): number => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = message[at++];
      if (byte === undefined) throw new TypeError("no ONNX graph, or one that is cut short");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const kind = tag & 7;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = varint();
      yield [Math.floor(tag / 8), message.subarray(at, at + length)];
      at += length;
    } else throw new TypeError("no ONNX graph");
  }
}
