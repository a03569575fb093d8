// A picture of the camera's view to draw over. It is decoded here and painted on a canvas: it has
// no address, so the page's content policy stays as it is, and nothing of it is sent.

const MOST_PIXELS_ACROSS = 1600;

// Paints the file; resolves to its width over its height. Throws when it is no picture.
export async function paint(file, canvas) {
  const bitmap = await createImageBitmap(await asStored(file));
  const scale = Math.min(1, MOST_PIXELS_ACROSS / bitmap.width);
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.width / canvas.height;
}

// Masks are burned into the pixels as they are stored in the JPEG. Browsers would turn the picture
// as its EXIF says, so that part is left out before they see it.
async function asStored(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return file;
  const kept = [bytes.subarray(0, 2)];
  let at = 2;
  // Segments up to the start of scan: a marker, then the length of what follows with itself.
  while (at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda) {
    const end = at + 2 + ((bytes[at + 2] << 8) | bytes[at + 3]);
    if (bytes[at + 1] !== 0xe1) kept.push(bytes.subarray(at, end));
    at = end;
  }
  kept.push(bytes.subarray(at));
  return new Blob(kept, { type: "image/jpeg" });
}
