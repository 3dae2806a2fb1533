/** What the tests of the shader call in the browser, as `window.page`. */

export { reachOf } from "../app/store/pictures";
export { Renderer } from "../src/renderer";
export * as scopes from "../src/scopes";
