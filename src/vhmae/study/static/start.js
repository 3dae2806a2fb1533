// Consent and the organizer's questions.
import { here, post } from "../web/calls.js";

const form = document.getElementById("enter");
const problem = document.getElementById("problem");
const consent = document.getElementById("consent");
const button = form.querySelector("button");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!consent.checked) {
    problem.textContent = "Taking part needs your consent: tick the box above.";
    consent.focus();
    return;
  }
  button.disabled = true;
  const answer = await post("/api/participants", { consent: true, answers: Object.fromEntries(new FormData(form)) });
  if (answer.ok) location.assign(here("/rank"));
  else problem.textContent = answer.detail;
  button.disabled = answer.ok;
});
