/** The library of vhmae's pages: what the renderer and the guide do, in the browser. */

export * from "./colors";
export * from "./guide/decision";
export * from "./guide/dials";
export * from "./guide/document";
export * from "./guide/prior";
export * from "./guide/takes";
export * from "./guide/update";
export * from "./renderer";
export * from "./transform";
export * as scopes from "./scopes";
