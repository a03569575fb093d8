// The editor of privacy masks: draws over the text field that is sent, and keeps it up to date.
// Whatever stood in that field when this came (typed early, brought back by the browser) is where
// it begins.

import { MaskList, make, within } from "./mask_list.js";
import { crossesItself, masksText, parseMasks } from "./mask_text.js";
import { paint } from "./mask_picture.js";
import { say } from "./shell.js";

const SVG = "http://www.w3.org/2000/svg";
const STEP = 0.01, SMALL_STEP = 0.001;
const NEAR_PIXELS = 14; // of the first corner: a click there closes the mask
const MOST_REMEMBERED = 100;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };


class Editor {
  constructor(root) {
    const of = (name) => root.querySelector(`[data-mask-${name}]`);
    Object.assign(this, {
      root, text: of("text"), stage: of("stage"), shapes: of("shapes"),
      hint: of("hint"), warning: of("warning"), textProblem: of("text-problem"),
      drawButton: of("draw"), closeButton: of("close"), undoButton: of("undo"),
      tools: [...root.querySelectorAll("[data-mask-tools]")],
      masks: [], active: -1, drawing: null, cursor: [0.5, 0.5], past: [], dragged: null, grabbed: false,
    });
    this.list = new MaskList(of("list"), this);
    this.handles = make("div", { className: "mask-handles" });
    this.stage.append(this.handles);
    this.stage.setAttribute("role", "group");
    this.stage.setAttribute("aria-label", "The camera's picture with its masks");
    this.listen(of);
    this.readText();
    const asText = of("as-text");
    if (!asText.contains(document.activeElement) && this.textProblem.hidden) asText.open = false;
    for (const part of this.tools) part.hidden = false;
  }

  listen(of) {
    this.text.addEventListener("input", () => this.readText());
    this.text.form.addEventListener("submit", () => this.finish());
    this.drawButton.addEventListener("click", () => (this.drawing ? this.stopDrawing("The mask was given up.") : this.startDrawing()));
    this.closeButton.addEventListener("click", () => this.close());
    this.undoButton.addEventListener("click", () => this.undo());
    of("rectangle").addEventListener("click", () => {
      this.change(() => { this.active = this.masks.push([[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]]) - 1; });
      this.handles.querySelector("[data-corner]").focus();
      say(`Mask ${this.active + 1} is in the middle. Move its corners with the arrow keys.`);
    });
    this.stage.addEventListener("click", (event) => this.clicked(event));
    this.stage.addEventListener("keydown", (event) => this.pressed(event));
    this.stage.addEventListener("pointerdown", (event) => this.grab(event));
    this.stage.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) this.stage.addEventListener(end, () => this.drop());
    this.listenToPictures(of("file"), of("grid"), of("picture"), of("picture-problem"));
  }

  listenToPictures(file, grid, canvas, problem) {
    file.addEventListener("change", async () => {
      const [chosen] = file.files;
      if (!chosen) return;
      problem.hidden = true;
      try {
        const shape = await paint(chosen, canvas);
        this.stage.style.aspectRatio = String(shape);
        this.stage.style.maxWidth = `calc(85dvh * ${shape})`;
        canvas.hidden = grid.hidden = false;
      } catch {
        problem.textContent = "This file is no picture that the browser can show.";
        problem.hidden = false;
      }
    });
    grid.addEventListener("click", () => {
      canvas.hidden = grid.hidden = true;
      file.value = this.stage.style.aspectRatio = this.stage.style.maxWidth = "";
      file.focus();
    });
  }

  // --- The text field and the past ------------------------------------------------------------

  readText() {
    const { masks, faults } = parseMasks(this.text.value);
    this.textProblem.textContent = faults.slice(0, 3).join(" ");
    this.textProblem.hidden = faults.length === 0;
    // What cannot be read must not be overwritten by drawing.
    for (const part of [...this.tools, this.stage]) part.inert = faults.length > 0;
    if (faults.length) return;
    this.masks = masks;
    this.active = Math.min(this.active, masks.length - 1);
    this.show({ writing: false });
  }

  change(how) {
    const before = { masks: structuredClone(this.masks), active: this.active };
    how();
    this.past = [...this.past, before].slice(-MOST_REMEMBERED);
    this.show();
  }

  undo() {
    if (this.drawing?.length) this.drawing.pop();
    else if (this.past.length) Object.assign(this, this.past.pop());
    this.show();
    say("Undone.");
  }

  // --- Drawing a new mask ---------------------------------------------------------------------

  startDrawing() {
    this.drawing = [];
    this.active = -1;
    this.stage.tabIndex = 0;
    this.show();
    this.stage.focus({ preventScroll: true });
    say("Drawing. Click where the corners are, or move the cross with the arrow keys and set corners with Enter. Escape gives up.");
  }

  stopDrawing(said) {
    this.drawing = null;
    this.stage.removeAttribute("tabindex");
    this.show();
    this.drawButton.focus({ preventScroll: true });
    if (said) say(said);
  }

  addCorner([x, y]) {
    if (this.drawing.length >= 3 && this.near(this.drawing[0], [x, y])) {
      this.close();
      return;
    }
    this.drawing.push([within(x), within(y)]);
    this.show();
    say(`Corner ${this.drawing.length} at ${within(x)}, ${within(y)}.`);
  }

  close() {
    if (!this.drawing || this.drawing.length < 3) return;
    const drawn = this.drawing;
    this.change(() => { this.active = this.masks.push(drawn) - 1; });
    this.stopDrawing(`Mask ${this.masks.length} is closed, with ${drawn.length} corners.`);
  }

  // The form is sent: a mask with all its corners set was meant, though nobody closed it.
  finish() {
    if (this.drawing?.length >= 3) this.close();
  }

  near(a, b) {
    const { width, height } = this.stage.getBoundingClientRect();
    return Math.hypot((a[0] - b[0]) * width, (a[1] - b[1]) * height) <= NEAR_PIXELS;
  }

  pointed(event) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [within((event.clientX - left) / width), within((event.clientY - top) / height)];
  }

  clicked(event) {
    if (event.target.closest("button") || this.grabbed) return;
    if (this.drawing) {
      this.cursor = this.pointed(event);
      this.addCorner(this.cursor);
      return;
    }
    const mask = event.target.closest("polygon")?.dataset.mask;
    this.active = mask === undefined ? -1 : Number(mask);
    this.show();
  }

  // --- Keys on the stage ----------------------------------------------------------------------

  pressed(event) {
    const corner = event.target.closest("[data-corner]");
    if (corner) this.pressedOnCorner(event, Number(corner.dataset.corner));
    else if (this.drawing && event.target === this.stage) this.pressedDrawing(event);
  }

  pressedOnCorner(event, at) {
    const mask = this.masks[this.active];
    const arrow = ARROWS[event.key];
    if (arrow) {
      const step = event.shiftKey ? SMALL_STEP : STEP;
      const [x, y] = mask[at];
      this.change(() => { mask[at] = [within(x + arrow[0] * step), within(y + arrow[1] * step)]; });
      say(`${mask[at][0]}, ${mask[at][1]}`);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.removeCorner(this.active, at);
      this.handles.querySelector(`[data-corner="${Math.max(0, at - 1)}"]`)?.focus();
    } else {
      return;
    }
    event.preventDefault();
  }

  pressedDrawing(event) {
    const arrow = ARROWS[event.key];
    if (arrow) {
      const step = event.shiftKey ? SMALL_STEP : STEP;
      this.cursor = [within(this.cursor[0] + arrow[0] * step), within(this.cursor[1] + arrow[1] * step)];
      this.show();
    } else if (event.key === "Enter" || event.key === " ") {
      this.addCorner(this.cursor);
    } else if (event.key === "Backspace") {
      this.undo();
    } else if (event.key === "Escape") {
      this.stopDrawing("The mask was given up.");
    } else {
      return;
    }
    event.preventDefault();
  }

  // --- Dragging -------------------------------------------------------------------------------

  grab(event) {
    const handle = event.target.closest("[data-corner], [data-between]");
    this.grabbed = Boolean(handle); // the click that follows is no choice of a mask
    if (!handle || event.button !== 0) return;
    const { corner, between } = handle.dataset;
    const at = Number(corner ?? between) + (corner === undefined ? 1 : 0);
    this.dragged = { at, from: structuredClone(this.masks), moved: false, added: corner === undefined };
    this.stage.setPointerCapture(event.pointerId);
    if (corner !== undefined) handle.focus({ preventScroll: true });
    event.preventDefault();
  }

  drag(event) {
    if (!this.dragged) return;
    const { at, added, moved } = this.dragged;
    const mask = this.masks[this.active];
    if (added && !moved) mask.splice(at, 0, this.pointed(event));
    mask[at] = this.pointed(event);
    this.dragged.moved = true;
    this.show();
  }

  drop() {
    if (!this.dragged) return; // drawn anew now, what was pressed would be gone before its click
    if (this.dragged.moved) this.past = [...this.past, { masks: this.dragged.from, active: this.active }].slice(-MOST_REMEMBERED);
    this.dragged = null;
    this.show();
  }

  removeCorner(number, at) {
    const mask = this.masks[number];
    if (mask.length <= 3) {
      say("An area needs three corners. Remove the whole mask instead.", { urgent: true });
      return;
    }
    this.change(() => { mask.splice(at, 1); });
    say(`Corner ${at + 1} is removed.`);
  }

  // --- Showing --------------------------------------------------------------------------------

  show({ writing = true } = {}) {
    if (writing) this.text.value = masksText(this.masks);
    this.showShapes();
    this.showHandles();
    this.list.show();
    this.closeButton.hidden = !this.drawing || this.drawing.length < 3;
    this.drawButton.setAttribute("aria-pressed", String(Boolean(this.drawing)));
    this.drawButton.textContent = this.drawing ? "Give it up" : "Draw a mask";
    this.undoButton.disabled = !(this.drawing?.length || this.past.length);
    this.stage.classList.toggle("mask-drawing", Boolean(this.drawing));
    this.hint.textContent = this.hintText();
    const crossing = this.masks.flatMap((mask, index) => (crossesItself(mask) ? [index + 1] : []));
    const saved = parseMasks(this.text.form.elements.was_masks?.value ?? this.text.defaultValue);
    const said = [
      ...crossing.map((number) => `Mask ${number} crosses itself: where it overlaps itself nothing would be covered, so it cannot be saved.`),
      ...(masksText(saved.masks) === masksText(this.masks) ? [] : ["Not saved yet."]),
    ].join(" ");
    if (this.warning.textContent !== said) this.warning.textContent = said;
    this.warning.hidden = !said;
  }

  hintText() {
    if (this.drawing) return "Click where the corners are; a click on the first closes the mask. Keys: arrows move the cross, Enter sets a corner, Escape gives up.";
    if (this.active >= 0) return "Drag the corners, or go to one with Tab and move it with the arrow keys (Shift: finer, Delete: remove). Drag from between two corners for a new one.";
    return this.masks.length ? "Choose a mask to change it." : "Nothing is masked.";
  }

  showShapes() {
    const shape = (tag, corners, name) => {
      const element = document.createElementNS(SVG, tag);
      element.setAttribute("points", corners.map((corner) => corner.join(",")).join(" "));
      if (name) element.setAttribute("class", name);
      return element;
    };
    const masks = this.masks.map((mask, index) => {
      const polygon = shape("polygon", mask, index === this.active ? "mask-active" : "");
      polygon.dataset.mask = String(index);
      return polygon;
    });
    this.shapes.replaceChildren(...masks, ...(this.drawing ? [shape("polyline", [...this.drawing, this.cursor], "mask-new")] : []));
  }

  // The same elements while their number stays: the focus lives on them.
  showHandles() {
    const mask = this.drawing ?? this.masks[this.active] ?? [];
    const wanted = mask.map(([x, y], at) => ({ kind: "corner", at, x, y }));
    if (this.drawing) wanted.push({ kind: "cross", at: 0, x: this.cursor[0], y: this.cursor[1] });
    else if (!this.dragged) {
      wanted.push(...mask.map(([x, y], at) => {
        const [nextX, nextY] = mask[(at + 1) % mask.length];
        return { kind: "between", at, x: (x + nextX) / 2, y: (y + nextY) / 2 };
      }));
    }
    const key = wanted.map(({ kind, at }) => kind + at).join() + this.active + Boolean(this.drawing);
    if (key !== this.handlesKey) {
      const focused = document.activeElement?.dataset?.corner;
      const held = this.handles.contains(document.activeElement);
      this.handles.replaceChildren(...wanted.map((handle) => this.handle(handle)));
      if (held) this.handles.querySelector(`[data-corner="${focused}"]`)?.focus({ preventScroll: true });
      this.handlesKey = key;
    }
    wanted.forEach(({ kind, at, x, y }, index) => {
      const element = this.handles.children[index];
      element.style.left = `${x * 100}%`;
      element.style.top = `${y * 100}%`;
      if (kind === "corner") element.setAttribute("aria-label", `Mask ${this.active + 1}, corner ${at + 1}: ${x} across, ${y} down`);
    });
  }

  handle({ kind, at }) {
    if (kind === "cross" || this.drawing) return make("span", { className: `mask-${kind === "cross" ? "cross" : "corner"}` });
    const button = make("button", { type: "button", className: `mask-${kind}` });
    button.dataset[kind] = String(at);
    if (kind === "between") { // for pointers; keys have "Corner after it" in the list
      button.tabIndex = -1;
      button.setAttribute("aria-hidden", "true");
    }
    return button;
  }
}

for (const root of document.querySelectorAll("[data-masks]")) new Editor(root);
