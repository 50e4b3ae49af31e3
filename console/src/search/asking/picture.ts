/** A picture that was dropped, pasted or chosen. It is in this window only, not in the address. */
import { batch, effect, signal } from "@preact/signals";
import { words } from "../../words";
import { choose, query } from "./query";

export interface Picture {
  name: string;
  base64: string;
  url: string; // data:
}

const LONGEST = 640; // pixels; models look at less

export const picture = signal<Picture | null>(null);
export const pictureError = signal("");

// One picture is searched by: this one, or the moment in the address.
effect(() => {
  if (query.value.like) picture.value = null;
});

/** Search by the first picture of `files`, if there is one. */
export async function takePicture(files: Iterable<File>): Promise<void> {
  const all = [...files];
  const file = all.find((one) => one.type.startsWith("image/"));
  if (!file) {
    if (all.length > 0) pictureError.value = words.search.noPicture;
    return;
  }
  try {
    const taken = await shrunk(file);
    batch(() => {
      if (query.peek().like) choose({ like: null });
      picture.value = taken;
      pictureError.value = "";
    });
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // that is how browsers say it
    pictureError.value = words.search.badPicture(file.name);
  }
}

/** A picture as JPEG, smaller where it is longer than `longest` pixels. Throws DOMException. */
export async function shrunk(file: File, longest = LONGEST): Promise<Picture> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (!context) throw new DOMException("no canvas", "NotSupportedError");
  context.fillStyle = "white"; // under what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const url = canvas.toDataURL("image/jpeg", 0.9);
  return { name: file.name, base64: url.slice(url.indexOf(",") + 1), url };
}
