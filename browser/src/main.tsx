import "./styles.css";
import { render } from "preact";
import { LANGUAGE_NAMES, language, served } from "../../frontend/src/page/words";
import ofServerDe from "../../src/vhmae/app/catalogue/server.de.json";
import ofServerEn from "../../src/vhmae/app/catalogue/server.en.json";
import de from "../catalogue/de.json";
import en from "../catalogue/en.json";
import { Page } from "./parts/Page";
import { fetchNetwork } from "./store";

/** The page's own words, and those of takes, beside those that it shares with the app's page. */
const OWN: Record<string, Record<string, string>> = { en: { ...ofServerEn, ...en }, de: { ...ofServerDe, ...de } };

export function speak(name: string): void {
  const known = name in OWN ? name : "en";
  served.value = OWN[known]!;
  language.value = known;
  document.documentElement.lang = known;
}

const wanted = navigator.languages.map((one) => one.slice(0, 2)).find((one) => one in LANGUAGE_NAMES);
speak(wanted ?? "en");
const isLight = matchMedia("(prefers-color-scheme: light)").matches;
document.documentElement.dataset["theme"] = isLight ? "light" : "dark";
render(<Page onSpeak={speak} />, document.getElementById("app")!);
void fetchNetwork();
