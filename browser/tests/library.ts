/** What the tests call in the browser, as `window.page`. */

export { Renderer } from "../../frontend/src/index";
export { CutDetector } from "../src/analysis/cuts";
export { shrink } from "../src/analysis/shrink";
export { Stream } from "../src/analysis/stream";
export { WorkerNetwork } from "../src/network/network";
export { readSafetensors } from "../src/network/safetensors";
export { matteOf } from "../src/video/mattes";
export { asTexture } from "../src/video/write";
