import "./styles/app.css";
import { render } from "preact";
import { App } from "./App";
import { heard } from "./keys";
import { listen } from "./store/events";
import { reopen } from "./store/project";
import { complain, greet, session } from "./store/session";

/** What follows once somebody may look. */
async function enter(): Promise<void> {
  listen();
  const wanted = new URLSearchParams(location.hash.slice(1)).get("project");
  const open = session.value?.open ?? [];
  const id = wanted && open.includes(wanted) ? wanted : session.value?.demo ? open[0] : undefined;
  if (id) await reopen(id);
}

const entering = (): void => void enter().catch(complain);

render(<App onEnter={entering} />, document.getElementById("app")!);
window.addEventListener("keydown", heard);
greet()
  .then(() => session.value?.signed_in && entering())
  .catch(complain);
