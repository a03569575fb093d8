// The alert board: rows that come and change by themselves, one alert beside them, sound.

import { OFFERED, askToSignIn, checkSession, say, sessionRestored, showAges, tell, typing } from "./shell.js";
import { Live } from "./live.js";
import { Sounder } from "./sound.js";
import { listenToKeys } from "./keys.js";
import { showPictures } from "./picture.js";

const rows = document.getElementById("rows");
const detail = document.getElementById("detail");
const connection = document.getElementById("connection");
const showsOpen = rows.dataset.show === "open";
const baseTitle = "Alerts · ALPR";

const known = new Map(); // alert id → the sequence that this page has shown or sounded
const calm = new Set(); // alerts of stored reads: nothing has sounded for them
let lostSince = null;

const sounder = new Sounder();
const live = new Live();

// --- Rows --------------------------------------------------------------------------------------

const list = () => document.getElementById("row-list");
const rowOf = (alertId) => document.getElementById(`row-${alertId}`);
const shownAlert = () => detail.querySelector("article");

function noteArrival(row, { quiet = false } = {}) {
  const { alert, sequence, state, sound } = row.dataset;
  const woke = calm.has(alert) && sound !== "silent"; // its live hit came after that of a stored read
  const isNew = (!known.has(alert) || woke) && state === "new";
  known.set(alert, Math.max(Number(sequence), known.get(alert) ?? 0));
  if (sound === "silent") calm.add(alert);
  else calm.delete(alert);
  if (state !== "new") sounder.acknowledge(alert);
  if (!isNew || quiet || !showsOpen) return;
  row.classList.add("arrived");
  sounder.sound(alert, sound);
  say(`New alert. ${row.dataset.announcement}`, { urgent: row.dataset.urgent === "true" });
}

const seenAgain = (element) => element?.dataset.seenAgain ?? "";

// The vehicle of an alert that has ended is back: no alert of its own, so no sound; but a word.
function noteReturn(row, old) {
  if (!showsOpen || seenAgain(row) <= seenAgain(old)) return;
  row.classList.add("arrived");
  say(`Plate ${[...row.dataset.plate].join(" ")} was seen again after its alert had ended.`);
}

function place(row) {
  const later = [...list().children].find((other) => other !== row && other.dataset.order > row.dataset.order);
  list().insertBefore(row, later ?? null);
}

function putRow(html) {
  const row = new DOMParser().parseFromString(html, "text/html").querySelector("li");
  const old = rowOf(row.dataset.alert);
  if (old && Number(old.dataset.sequence) > Number(row.dataset.sequence)) return;
  if (!old && row.dataset.state !== "new" && !showsOpen) return;
  const focused = old?.contains(document.activeElement);
  const fresh = document.importNode(row, true);
  old?.remove();
  place(fresh);
  htmx.process(fresh);
  showAges(fresh);
  if (focused) fresh.querySelector("a").focus();
  noteArrival(fresh);
  noteReturn(fresh, old);
}

function afterRows() {
  const chosen = shownAlert()?.dataset.alert;
  for (const row of list()?.children ?? []) {
    row.classList.toggle("chosen", row.dataset.alert === chosen);
    row.querySelector("a").toggleAttribute("aria-current", row.dataset.alert === chosen);
  }
  const waiting = list()?.querySelectorAll('li[data-state="new"]').length ?? 0;
  document.title = waiting && showsOpen ? `(${waiting}) ${baseTitle}` : baseTitle;
}

// The list as the server has it: when a stream began without knowing where the list stood.
async function lookAgain() {
  const answer = await fetch(`/board/rows?show=${rows.dataset.show}`, { headers: { "HX-Request": "true" } });
  if (!answer.ok && answer.status === 401) { checkSession(); return; }
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  const focusedAlert = document.activeElement?.closest?.(".row")?.dataset.alert;
  const scrolled = rows.scrollTop;
  rows.replaceChildren(...parsed.body.childNodes);
  rows.scrollTop = scrolled;
  htmx.process(rows);
  showAges(rows);
  for (const row of list()?.children ?? []) noteArrival(row);
  if (focusedAlert) rowOf(focusedAlert)?.querySelector("a").focus();
  afterRows();
  offerFresh();
}

// --- The alert beside them -----------------------------------------------------------------------

const busy = () => typing(document.activeElement) && detail.contains(document.activeElement);
const dirty = () => [...detail.querySelectorAll("input:not([type=hidden])")].some(
  (input) => (input.type === "checkbox" || input.type === "radio" ? input.checked !== input.defaultChecked : input.value !== input.defaultValue),
);

// Somebody else took a step on the alert that is open here: show it, unless that would take away
// what this person has begun.
function offerFresh() {
  const article = shownAlert();
  if (!article) return;
  const newest = known.get(article.dataset.alert) ?? 0;
  const isBack = seenAgain(rowOf(article.dataset.alert)) > seenAgain(article);
  if (newest <= Number(article.dataset.sequence) && !isBack) return;
  if (busy() || dirty()) {
    document.getElementById("overtaken").hidden = false;
  } else {
    showFresh(article.dataset.alert, { offered: true });
  }
}

function showFresh(alertId, { offered = false } = {}) {
  const scrolled = detail.scrollTop;
  const headers = offered ? { [OFFERED]: "yes" } : {};
  htmx.ajax("GET", `/alerts/${alertId}`, { target: "#detail", swap: "innerHTML", headers })
    .then(() => { detail.scrollTop = scrolled; });
}

function tellOfRefusal(address) {
  const link = Object.assign(document.createElement("a"), { href: address, textContent: "Open it again" });
  tell("Your step on the alert before this one was not taken.", link);
}

const pathOf = (address) => new URL(address, location.href).pathname;

// An answer may come late, when this person has opened another alert or begun something here: it
// must put neither away.
addEventListener("htmx:beforeSwap", (event) => {
  const article = shownAlert();
  if (event.detail.target !== detail || !article) return;
  const { verb, path, headers } = event.detail.requestConfig;
  const own = `/alerts/${article.dataset.alert}`;
  const elsewhere = pathOf(path) !== own && !pathOf(path).startsWith(`${own}/`);
  if (verb === "post" && elsewhere) {
    event.detail.shouldSwap = false; // its row tells of a step that was taken
    if (event.detail.xhr.status >= 400) tellOfRefusal(pathOf(path).split("/").slice(0, 3).join("/"));
  } else if (headers[OFFERED] && (elsewhere || busy() || dirty())) {
    event.detail.shouldSwap = false;
    if (!elsewhere) document.getElementById("overtaken").hidden = false;
  }
});

export function open(alertId) {
  rowOf(alertId)?.querySelector("a").click();
}

detail.addEventListener("click", (event) => {
  if (event.target.closest("[data-show-now]")) showFresh(shownAlert().dataset.alert);
});

addEventListener("htmx:afterSwap", (event) => {
  if (event.target !== detail) return;
  const article = shownAlert();
  if (article) {
    sounder.acknowledge(article.dataset.alert);
    known.set(article.dataset.alert, Math.max(Number(article.dataset.sequence), known.get(article.dataset.alert) ?? 0));
    showPictures(detail);
    const asked = event.detail.requestConfig;
    if (asked?.verb === "get") {
      detail.scrollTop = 0;
      if (matchMedia("(max-width: 899px)").matches) scrollTo(0, 0);
    } else if (event.detail.xhr.status < 400) {
      detail.querySelector(".steps > .step-form h3, .ending")?.focus({ preventScroll: true });
      say(detail.querySelector(".stages [aria-current]")?.textContent.trim() ?? "Done");
    }
  }
  afterRows();
});

// --- Sound -----------------------------------------------------------------------------------------

const soundButton = document.getElementById("sound");
const silenceButton = document.getElementById("silence");
const SOUND_TEXT = { on: "Sound on", muted: "Sound off", blocked: "Turn sound on" };

function showSound() {
  soundButton.dataset.state = sounder.state;
  soundButton.setAttribute("aria-pressed", String(sounder.state === "on"));
  soundButton.querySelector("[data-sound-text]").textContent = SOUND_TEXT[sounder.state];
  silenceButton.hidden = !sounder.sounding;
}

sounder.addEventListener("changed", showSound);
sounder.addEventListener("played", () => { document.body.dataset.soundPlayed = String(Date.now()); });
soundButton.addEventListener("click", () => sounder.toggle());
silenceButton.addEventListener("click", () => sounder.acknowledgeAll());
// Any touch of the page is the touch that browsers wait for.
addEventListener("pointerdown", (event) => {
  if (!sounder.muted && sounder.blocked && !soundButton.contains(event.target)) sounder.enable();
}, { capture: true });

// --- The connection ----------------------------------------------------------------------------------

const LIVE_TEXT = { starting: "Connecting", live: "Live", lost: "Not live", refused: "Not live", stopped: "Stopped" };

function showConnection({ state, trouble }) {
  const badge = document.getElementById("live");
  badge.dataset.state = state;
  badge.querySelector("[data-live-text]").textContent = LIVE_TEXT[state];
  if (state === "live") {
    if (lostSince) say("Connected again.");
    lostSince = null;
    connection.hidden = true;
    return;
  }
  if (state === "refused") connection.hidden = true; // the list says why
  if (state !== "lost") return;
  const first = lostSince === null;
  lostSince ??= new Date();
  const head = trouble ? trouble.title : "Connection lost";
  const text = trouble ? trouble.detail : "What you see may be out of date. Trying again by itself.";
  if (first || connection.dataset.head !== head) {
    const since = lostSince.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    connection.replaceChildren(`${head} since ${since}`, Object.assign(document.createElement("span"), { textContent: text }));
    const again = Object.assign(document.createElement("button"), { type: "button", className: "button", textContent: "Try now" });
    again.addEventListener("click", () => live.start());
    connection.append(again);
    connection.dataset.head = head;
  }
  connection.hidden = false;
}

live.addEventListener("state", (event) => showConnection(event.detail));
live.addEventListener("ready", (event) => { if (!event.detail.resumed) lookAgain(); });
live.addEventListener("alert", (event) => {
  putRow(event.detail.row);
  afterRows();
  offerFresh();
});
live.addEventListener("interrupted", () => checkSession());
live.addEventListener("signed-out", () => askToSignIn("expired"));
sessionRestored.addEventListener("restored", () => live.start());
addEventListener("online", () => { if (live.state === "lost") live.start(); });
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && live.state === "lost") live.start();
});
addEventListener("pagehide", () => live.stop());
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// --- Begin ---------------------------------------------------------------------------------------------

for (const row of list()?.children ?? []) noteArrival(row, { quiet: true });
afterRows();
showPictures(detail);
showSound();
if (!sounder.muted) sounder.enable();
listenToKeys({ list, detail, open, sounder });
live.start(list()?.dataset.position);
