// Under the sign-in form: a passkey, and the agencies' own sign-in services, where there are any.

import { ask, inWords, show, supported } from "./webauthn.js";

async function offer(ways) {
  const answered = await fetch("/sign-in/ways").catch(() => null);
  if (!answered?.ok) return; // identity is away: the form says so when it is sent
  const { passkeys, providers } = await answered.json();
  for (const { provider_id, label } of providers) {
    const link = document.createElement("a");
    link.className = "button";
    link.href = `/sign-in/provider/${encodeURIComponent(provider_id)}?to=${encodeURIComponent(target(ways))}`;
    link.textContent = `Sign in with ${label}`;
    ways.append(link);
  }
  const button = ways.querySelector("[data-passkey-sign-in]");
  button.hidden = !(passkeys && supported());
  ways.hidden = button.hidden && providers.length === 0;
  button.addEventListener("click", () => signIn(ways, button));
}

// Over a page that was covered one comes back to that page.
const target = (ways) => ways.dataset.to || location.pathname + location.search;

async function signIn(ways, button) {
  const problem = ways.querySelector("[data-way-problem]");
  problem.hidden = true;
  button.disabled = true;
  try {
    const credential = await show(await ask("/sign-in/passkey/begin"));
    const { to } = await ask("/sign-in/passkey", { credential, to: target(ways) });
    location.assign(to);
  } catch (error) {
    problem.textContent = inWords(error);
    problem.hidden = false;
  } finally {
    button.disabled = false;
  }
}

for (const ways of document.querySelectorAll("[data-sign-in-ways]")) {
  const cover = ways.closest("dialog");
  if (!cover) {
    offer(ways);
    continue;
  }
  // Over a page: asked for when somebody has to sign in again, not on every page.
  const watching = new MutationObserver(() => {
    if (!cover.open) return;
    watching.disconnect();
    offer(ways);
  });
  watching.observe(cover, { attributes: true, attributeFilter: ["open"] });
}
