/** What the tests of the shader call in the browser, as `window.page`. */

export { Renderer } from "../src/renderer";
export * as scopes from "../src/scopes";
