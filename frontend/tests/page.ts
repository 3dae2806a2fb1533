/** What the tests of the app's stores call in Node. */

export { KEYS, heard } from "../app/keys";
export * as bringing from "../app/store/bringing";
export { catchUp, listen } from "../app/store/events";
export { mapsOf } from "../app/store/maps";
export * as mattes from "../app/store/mattes";
export * as playhead from "../app/store/playhead";
export * as project from "../app/store/project";
export { hearOf, renderSaved } from "../app/store/renders";
export { notices, session } from "../app/store/session";
export * as takes from "../app/store/takes";
export * as view from "../app/store/view";
export { typedNumber } from "../src/page/controls";
export { copyText } from "../src/page/copying";
export { emptyGuide } from "../src/index";
export { language, moment, t } from "../app/text";
