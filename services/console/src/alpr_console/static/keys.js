// Single-key shortcuts. They sleep while somebody types, with a modifier held, in dialogs, and when
// turned off. None but A sends anything: the others tick, choose, or go to where one then acts.

import { typing } from "./shell.js";

const OFF_KEY = "alpr.shortcuts.off";

export function listenToKeys({ list, detail, open, sounder }) {
  const sheet = document.getElementById("shortcuts");
  const onTick = document.getElementById("shortcuts-on");
  onTick.checked = localStorage.getItem(OFF_KEY) !== "yes";
  onTick.addEventListener("change", () => {
    if (onTick.checked) localStorage.removeItem(OFF_KEY);
    else localStorage.setItem(OFF_KEY, "yes");
  });
  const help = () => sheet.showModal();
  document.getElementById("help").addEventListener("click", help);

  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") { escape(detail, list); return; }
    if (typing(event.target) || !onTick.checked || event.repeat && !"jk".includes(event.key)) return;
    const key = event.key.toLowerCase();
    const act = { "?": help, j: () => step(list, detail, open, 1), k: () => step(list, detail, open, -1), m: () => sounder.acknowledgeAll(), v: () => otherPicture(detail) }[key]
      ?? press(detail, key);
    if (act) {
      event.preventDefault();
      act();
    }
  });
}

function press(detail, key) {
  if (!/^[a-z1-9]$/.test(key)) return null;
  const control = detail.querySelector(`[data-key="${key}"]`);
  if (!control) return null;
  return () => {
    if (control.matches("summary")) {
      control.parentElement.open = true;
      control.parentElement.querySelector("input:not([type=hidden]), button").focus();
    } else if (control.matches("[type=checkbox], button")) {
      control.focus();
      control.click();
    } else if (control.matches("[type=radio]")) {
      control.checked = true;
      control.focus();
    } else {
      control.focus();
      control.scrollIntoView({ block: "nearest" });
    }
  };
}

function step(list, detail, open, by) {
  const rows = [...(list()?.children ?? [])];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.dataset.alert === detail.querySelector("article")?.dataset.alert);
  const next = rows[at === -1 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))];
  next.scrollIntoView({ block: "nearest" });
  open(next.dataset.alert);
}

function escape(detail, list) {
  const active = document.activeElement;
  if (typing(active)) { active.blur(); return; }
  const folded = detail.querySelector("details[open]");
  if (folded) { folded.open = false; folded.querySelector("summary").focus(); return; }
  const chosen = list()?.querySelector(".chosen a") ?? list()?.querySelector("a");
  if (matchMedia("(max-width: 899px)").matches) detail.querySelector(".back")?.click();
  else chosen?.focus();
}

function otherPicture(detail) {
  detail.querySelector('[data-zoom][aria-pressed="false"]')?.click();
}
