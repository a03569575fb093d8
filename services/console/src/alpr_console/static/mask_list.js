// The masks as a list of numbers: the same editor for who uses keys or a screen reader.

import { say } from "./shell.js";

export const within = (value) => Math.min(1, Math.max(0, Math.round(value * 1e4) / 1e4));

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function button(text, label, act) {
  const element = make("button", { type: "button", className: "button", textContent: text });
  if (label) element.setAttribute("aria-label", label);
  element.addEventListener("click", act);
  return element;
}

const inRange = (input) => input.value !== "" && Number(input.value) >= 0 && Number(input.value) <= 1;

// `editor` holds the masks, which of them is active, and `change`, `show` and `removeCorner`.
export class MaskList {
  constructor(root, editor) {
    Object.assign(this, { root, editor, key: null });
  }

  show() {
    const { masks, active } = this.editor;
    const key = `${masks.map((mask) => mask.length).join()} ${active}`;
    if (key !== this.key) {
      this.root.replaceChildren(...masks.map((mask, number) => this.item(mask, number)));
      this.key = key;
    }
    for (const input of this.root.querySelectorAll("input")) {
      const { mask, corner, axis } = input.dataset;
      const value = masks[mask][corner][axis];
      const halfTyped = input === document.activeElement && !inRange(input);
      if (!halfTyped && (input.value === "" || Number(input.value) !== value)) input.value = String(value);
    }
  }

  item(mask, number) {
    const { editor } = this;
    const open = number === editor.active;
    const choose = button(`Mask ${number + 1}: ${mask.length} corners`, "", () => {
      editor.active = open ? -1 : number;
      editor.show();
      this.root.children[number].querySelector("button").focus();
    });
    choose.setAttribute("aria-expanded", String(open));
    const remove = button("Remove", `Remove mask ${number + 1}`, () => {
      editor.change(() => { editor.masks.splice(number, 1); editor.active = -1; });
      editor.drawButton.focus();
      say(`Mask ${number + 1} is removed.`);
    });
    const item = make("div", { className: "mask-item" }, make("div", { className: "mask-item-head" }, choose, remove));
    if (open) item.append(make("ol", { className: "mask-corners" }, ...mask.map((_, at) => this.corner(number, at))));
    return item;
  }

  corner(number, at) {
    return make("li", {},
      make("span", { className: "mask-number", textContent: String(at + 1) }),
      this.field(number, at, 0, "across"),
      this.field(number, at, 1, "down"),
      button("+", `A corner after corner ${at + 1} of mask ${number + 1}`, () => this.insert(number, at)),
      button("×", `Remove corner ${at + 1} of mask ${number + 1}`, () => {
        this.editor.removeCorner(number, at);
        this.focus(Math.max(0, at - 1));
      }));
  }

  field(number, at, axis, label) {
    const input = make("input", { type: "number", min: "0", max: "1", step: "0.01", inputMode: "decimal", className: "mono" });
    Object.assign(input.dataset, { mask: number, corner: at, axis });
    input.setAttribute("aria-label", `Mask ${number + 1}, corner ${at + 1}, ${label}`);
    input.addEventListener("input", () => {
      if (!inRange(input)) return; // half typed
      this.editor.change(() => { this.editor.masks[number][at][axis] = Number(input.value); });
    });
    input.addEventListener("blur", () => this.show());
    // Enter in a field would send the whole form.
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
    return make("label", { className: "field" }, make("span", { textContent: label }), input);
  }

  insert(number, at) {
    const mask = this.editor.masks[number];
    const [x, y] = mask[at], [nextX, nextY] = mask[(at + 1) % mask.length];
    this.editor.change(() => { mask.splice(at + 1, 0, [within((x + nextX) / 2), within((y + nextY) / 2)]); });
    this.focus(at + 1);
  }

  focus(corner) {
    this.root.querySelector(`input[data-corner="${corner}"]`)?.focus();
  }
}
