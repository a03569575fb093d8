// What every page does: ages of times, the session's lock, where the focus goes after a swap.

const ACTIVITY_EVERY_MS = 60_000;
const AGE_EVERY_MS = 5_000;

export function say(text, { urgent = false } = {}) {
  const region = document.getElementById(urgent ? "said-now" : "said-politely");
  // A region that is given the same text twice says it once: empty it first.
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 60);
}

// What nobody may miss, eyes or ears: it stays until it is put away. `link`: where to see to it.
export function tell(text, link = null) {
  const away = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: "OK" });
  const told = document.getElementById("told");
  away.addEventListener("click", () => { told.hidden = true; });
  told.replaceChildren(text, ...(link ? [link] : []), away);
  told.hidden = false;
}

export function age(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d`;
}

export function showAges(root = document) {
  const now = Date.now();
  for (const element of root.querySelectorAll("[data-age]")) {
    const at = Date.parse(element.getAttribute("datetime"));
    element.textContent = `${age((now - at) / 1000)} ago`;
  }
}

// Fields keep the keys to themselves; a dialog keeps them from the page under it.
export function typing(target) {
  return target instanceof Element
    && target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;
}

// --- The session -----------------------------------------------------------------------------

const cover = document.getElementById("sign-in-again");
const blankForm = cover?.querySelector("form").cloneNode(true);
let lastActivityAt = Date.now();
let lastToldAt = Date.now();

export const sessionRestored = new EventTarget();

export function askToSignIn(reason) {
  if (!cover) {
    location.reload();
    return;
  }
  cover.dataset.why = reason || "expired";
  if (cover.open) return;
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  cover.showModal();
  cover.querySelector("[name=username], [name=code]")?.focus();
}

// Asks whether somebody is signed in; covers the page when not. Resolves to whether.
export async function checkSession({ active = false } = {}) {
  try {
    const answer = active
      ? await fetch("/session/active", { method: "POST" })
      : await fetch("/session");
    if (answer.status === 401) askToSignIn(answer.headers.get("Alpr-Sign-In"));
    return answer.ok;
  } catch {
    return false; // no connection: the board says so
  }
}

async function signInAgain(form) {
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    const answer = await fetch(form.getAttribute("action"), {
      method: "POST", headers: { "HX-Request": "true" }, body: new URLSearchParams(new FormData(form)),
    });
    if (answer.status !== 204) {
      const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
      form.replaceWith(parsed.querySelector("form"));
      focusWhereNeeded(cover);
      return;
    }
    // Somebody else at this page must see it as theirs, not as the one before left it.
    if (answer.headers.get("Alpr-Person") !== document.body.dataset.person) location.assign("/board");
    form.replaceWith(blankForm.cloneNode(true)); // nothing typed stays, not even the step of the code
    cover.close();
    lastActivityAt = lastToldAt = Date.now();
    sessionRestored.dispatchEvent(new Event("restored"));
  } catch {
    say("No connection. Try again.", { urgent: true });
  } finally {
    button.disabled = false;
  }
}

if (cover) {
  cover.addEventListener("cancel", (event) => event.preventDefault());
  // Some browsers close a modal at the second Escape whatever one says.
  cover.addEventListener("close", () => { if (cover.dataset.passed !== "yes") checkSession(); });
  cover.addEventListener("submit", (event) => {
    event.preventDefault();
    signInAgain(event.target);
  });
  cover.addEventListener("click", (event) => {
    if (!event.target.closest("[data-start-over]")) return;
    event.preventDefault(); // going there would lose what is under the cover
    cover.querySelector("form").replaceWith(blankForm.cloneNode(true));
    cover.querySelector("[name=username]").focus();
  });
  for (const kind of ["pointerdown", "keydown", "wheel", "touchstart"]) {
    addEventListener(kind, () => { lastActivityAt = Date.now(); }, { passive: true, capture: true });
  }
  setInterval(() => {
    const touched = lastActivityAt > lastToldAt;
    if (touched) lastToldAt = Date.now();
    if (!cover.open) checkSession({ active: touched });
  }, ACTIVITY_EVERY_MS);
}

// --- Filters -----------------------------------------------------------------------------------

// What was chosen before the scripts were there (or brought back by the browser) no event tells of:
// the list would say one thing and its filter another.
function catchUpFilters() {
  const written = (select) => [...select.options].find((option) => option.defaultSelected) ?? select.options[0];
  for (const form of document.querySelectorAll("form.filter[hx-get]")) {
    const selects = [...form.querySelectorAll("select")];
    if (selects.some((select) => select.value !== written(select).value)) form.requestSubmit();
  }
}

// --- After htmx put something in --------------------------------------------------------------

export function focusWhereNeeded(root) {
  const target = root.querySelector("[data-focus]");
  if (target) {
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest" });
  }
  return Boolean(target);
}

addEventListener("htmx:afterSwap", (event) => {
  showAges(event.target);
  focusWhereNeeded(event.target);
});
addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) askToSignIn(event.detail.xhr.getResponseHeader("Alpr-Sign-In"));
});

// --- Requests that got lost --------------------------------------------------------------------

export const OFFERED = "Alpr-Offered"; // header of what a page asked for by itself

// What a page asks for by itself, again and again, is no news when it fails once.
function madeByAPerson({ verb, elt, headers }) {
  if (verb !== "get") return true;
  return !headers[OFFERED] && !/(^|,)\s*every\s/.test(elt.getAttribute("hx-trigger") ?? "");
}

function tellOfLost(event) {
  const request = event.detail.requestConfig;
  if (!madeByAPerson(request)) return;
  // Whether the request or its answer got lost cannot be seen from here.
  tell(request.verb === "get"
    ? "No connection: no answer came. Try again."
    : "No connection: no answer came. Look whether it was taken before you try again.");
}

addEventListener("htmx:sendError", tellOfLost);
addEventListener("htmx:timeout", tellOfLost);

showAges();
focusWhereNeeded(document);
document.addEventListener("DOMContentLoaded", catchUpFilters); // htmx, loaded before, listens first
setInterval(showAges, AGE_EVERY_MS);
