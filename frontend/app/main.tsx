import "./styles/app.css";
import { render } from "preact";
import { App } from "./App";
import { heard } from "./keys";
import { catchUp, listen } from "./store/events";
import { open, reopen } from "./store/project";
import { complain, greet, session } from "./store/session";

let hasEntered = false;

/** What follows once somebody may look; who has to sign in again goes on where they were. */
async function enter(): Promise<void> {
  if (hasEntered) return catchUp();
  hasEntered = true;
  listen();
  const wanted = new URLSearchParams(location.hash.slice(1)).get("project");
  if (wanted && session.value?.open?.includes(wanted)) await reopen(wanted);
  else if (session.value?.demo) await open({ demo: true });
}

const entering = (): void => void enter().catch(complain);

render(<App onEnter={entering} />, document.getElementById("app")!);
window.addEventListener("keydown", heard);
greet()
  .then(() => session.value?.signed_in && entering())
  .catch(complain);
