/** The analysis that is being begun: that goes on, and can be stopped, whatever is chosen or looked at meanwhile. */
import { signal } from "@preact/signals";
import type { Schemas } from "../../api/client";
import { go, route } from "../../route";
import { isAbort } from "../../search/asking/patience";
import { begin } from "./beginning";
import { chosen, parts } from "./choice";

interface Starting {
  told: string;
  stop: (() => void) | null; // null: it is sent already
}

/** Null: none is begun. */
export const starting = signal<Starting | null>(null);
export const startError = signal<unknown>(null);
/** The task that was begun last, where nobody was led to it. */
export const begun = signal<string | null>(null);

const HERE = "work/analyze";

/** Begin what an estimate was made of. */
export async function start({ paths, cache_dir, visual, speech, faces }: Schemas["EstimateBody"]): Promise<void> {
  if (starting.peek()) return;
  const control = new AbortController();
  const stop = () => control.abort();
  const tell = (told: string, isSending = false) => (starting.value = { told, stop: isSending ? null : stop });
  tell("");
  startError.value = begun.value = null;
  const wanted = { ...parts.peek(), pictures: Boolean(visual), speech: Boolean(speech), faces: Boolean(faces) };
  try {
    const task = await begin(paths, cache_dir, wanted, { tell, signal: control.signal });
    const left = [...chosen.peek()].filter(([path]) => !paths.includes(path));
    chosen.value = new Map(left);
    if (route.peek().page === HERE && left.length === 0) go("work", new URLSearchParams({ task }));
    else begun.value = task;
  } catch (error) {
    if (!isAbort(error)) startError.value = error;
  } finally {
    starting.value = null;
  }
}
