// One's own passkeys: making one.

import { ask, inWords, make, supported } from "./webauthn.js";

const form = document.querySelector("[data-add-passkey]");

async function add() {
  const problem = form.querySelector("[data-passkey-problem]");
  const button = form.querySelector("button[type=submit]");
  const said = Object.fromEntries(new FormData(form));
  problem.hidden = true;
  button.disabled = true;
  try {
    if (!supported()) throw new Error("This browser knows no passkeys.");
    const options = await ask("/account/passkeys/begin", { password: said.password, code: said.code ?? "" });
    const credential = await make(options);
    await ask("/account/passkeys", { credential, name: said.name });
    location.assign("/account/passkeys?done=added");
  } catch (error) {
    problem.textContent = inWords(error);
    problem.hidden = false;
    problem.scrollIntoView({ block: "nearest" });
  } finally {
    button.disabled = false;
  }
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    add();
  });
  // Only now: sent without this script, the form would put the password into the address.
  form.querySelector("button[type=submit]").disabled = false;
}
