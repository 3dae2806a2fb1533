/** Files that lie beside the page, by name, as `frontend/build.mjs` lays them there. */

export const FILES = {
  graph: "network/graph.onnx",
  weights: "network/free.safetensors.gz",
  prior: "network/free.prior.json",
  runtime: "network/ort-wasm-simd-threaded.wasm.gz",
  loader: "network/ort-wasm-simd-threaded.mjs",
  worker: "network.js",
} as const;

/** Pictures of the example. */
export const EXAMPLE = {
  behind: "example/rocket.jpg",
  before: "example/astronaut.png",
  matte: "example/matte.png",
  camera: "example/camera.json",
} as const;

/** The bytes of a file; one that is packed by gzip is unpacked, if the server has not done so. */
export async function bytesOf(address: string | URL): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(address);
  if (!answer.ok) throw new TypeError(`${String(address)}: ${answer.status} ${answer.statusText}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}
