// Pictures of an alert: the frame begins at the vehicle, the plate is outlined, a picture that did
// not come says so. Positions are set through the DOM: the page allows no inline styles.

const VEHICLE_IN_PLATE_HEIGHTS = 12; // a car is about 1.5 m high, a plate 0.11 to 0.15 m

export function showPictures(root) {
  for (const figure of root.querySelectorAll("[data-picture]")) prepare(figure);
}

function prepare(figure) {
  const image = figure.querySelector("img");
  const arrived = () => {
    if (figure.dataset.box) frame(figure, image);
  };
  const missing = () => { figure.querySelector(".picture-missing").hidden = false; };
  if (image.complete) (image.naturalWidth ? arrived : missing)();
  image.addEventListener("load", () => {
    figure.querySelector(".picture-missing").hidden = true;
    arrived();
  });
  image.addEventListener("error", missing);
  figure.querySelector("[data-picture-again]").addEventListener("click", () => {
    const address = new URL(image.src);
    address.searchParams.set("again", String(Date.now()));
    image.src = address;
  });
  for (const button of figure.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoom(figure, image, button.dataset.zoom));
  }
}

function frame(figure, image) {
  const [x1, y1, x2, y2] = figure.dataset.box.split(" ").map(Number);
  const { naturalWidth: width, naturalHeight: height } = image;
  const box = figure.querySelector(".picture-box") ?? document.createElement("span");
  box.className = "picture-box";
  box.style.left = `${(x1 / width) * 100}%`;
  box.style.top = `${(y1 / height) * 100}%`;
  box.style.width = `${((x2 - x1) / width) * 100}%`;
  box.style.height = `${((y2 - y1) / height) * 100}%`;
  image.after(box);
  zoom(figure, image, "vehicle");
}

function zoom(figure, image, mode) {
  const [x1, y1, x2, y2] = figure.dataset.box.split(" ").map(Number);
  const { naturalWidth: width, naturalHeight: height } = image;
  let scale = 1, left = 0, top = 0;
  if (mode === "vehicle") {
    scale = Math.min(4, Math.max(1, height / ((y2 - y1) * VEHICLE_IN_PLATE_HEIGHTS)));
    const shownWidth = width / scale, shownHeight = height / scale;
    // The plate hangs low on a vehicle: most of what matters is above it.
    left = Math.min(width - shownWidth, Math.max(0, (x1 + x2) / 2 - shownWidth / 2));
    top = Math.min(height - shownHeight, Math.max(0, (y1 + y2) / 2 - shownHeight * 0.68));
  }
  const layer = figure.querySelector(".picture-zoom");
  layer.style.transform = `scale(${scale}) translate(${(-left / width) * 100}%, ${(-top / height) * 100}%)`;
  figure.querySelector(".picture-box").hidden = mode === "vehicle";
  for (const button of figure.querySelectorAll("[data-zoom]")) {
    button.setAttribute("aria-pressed", String(button.dataset.zoom === mode));
  }
}
