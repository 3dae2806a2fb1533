// Signs in with a token, and goes on to where one wanted to go.
import { post } from "./calls.js";

const form = document.getElementById("sign-in");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await post("/api/admin/session", Object.fromEntries(new FormData(form)));
  if (answer.ok) location.assign(form.dataset.next);
  else document.getElementById("problem").textContent = answer.detail;
});
