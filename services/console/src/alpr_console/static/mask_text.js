// Masks as text, one a line, as the server reads them (domain/cameras.py).

const MOST_CORNERS = 256;

export function masksText(masks) {
  return masks.map((mask) => mask.map(([x, y]) => `${x},${y}`).join(" ")).join("\n");
}

// The masks of a text and what is wrong in it, one sentence a mistake; no masks where there is one.
export function parseMasks(text) {
  const masks = [], faults = [];
  text.split(/\r\n|\r|\n/).filter((line) => line.trim()).forEach((line, index) => {
    const mask = [];
    line.replace(/\s*,\s*/g, ",").trim().split(/\s+/).forEach((written, at) => {
      const numbers = written.split(",").map((part) => (part === "" ? NaN : Number(part)));
      const corner = `Mask ${index + 1}, corner ${at + 1} (${written.slice(0, 24)})`;
      if (numbers.length !== 2 || !numbers.every(Number.isFinite)) faults.push(`${corner} is no pair of numbers like 0.25,0.4.`);
      else if (!numbers.every((value) => value >= 0 && value <= 1)) faults.push(`${corner} lies outside the picture.`);
      else mask.push(numbers);
    });
    if (mask.length < 3 && faults.length === 0) faults.push(`Mask ${index + 1} has too few corners: an area needs 3.`);
    if (mask.length > MOST_CORNERS) faults.push(`Mask ${index + 1} has more than ${MOST_CORNERS} corners.`);
    masks.push(mask);
  });
  return faults.length ? { masks: [], faults } : { masks, faults };
}

// Whether a mask's sides cross: where it then overlaps itself, its filling leaves holes.
export function crossesItself(mask) {
  const sides = mask.map((corner, at) => [corner, mask[(at + 1) % mask.length]]);
  return sides.some((side, i) => sides.some((other, j) =>
    j > i + 1 && (j + 1) % sides.length !== i && cross(...side, ...other)));
}

const turn = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);

function cross(a, b, c, d) {
  return turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0;
}
