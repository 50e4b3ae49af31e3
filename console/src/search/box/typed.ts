/** What stands in the box. It becomes the search after a short pause. */
import { effect, signal } from "@preact/signals";
import { again, failure, wasCancelled } from "../asking/results";
import { choose, keep, query, type } from "../asking/query";

export const typed = signal("");

const PAUSE_MS = 200;
const QUOTED = /["“„]([^"“”„]+)["”“]/;
let timer = 0;

// Another address: back, forward, a link. What is being typed is not touched by its own search.
effect(() => {
  const { words } = query.value;
  if (words !== typed.peek().trim()) typed.value = words;
});

export function input(text: string): void {
  typed.value = text;
  clearTimeout(timer);
  const quoted = QUOTED.exec(text);
  if (quoted?.[1]?.trim()) {
    const words = text.replace(QUOTED, " ").replace(/\s+/g, " ").trim();
    typed.value = words;
    choose({ words, said: quoted[1].trim() });
  } else {
    timer = window.setTimeout(flush, PAUSE_MS);
  }
}

/** Search for what was typed without a pause. */
export function flush(): void {
  clearTimeout(timer);
  const words = typed.peek().trim();
  if (words !== query.peek().words) type({ words });
}

/** The same when somebody presses Enter; a search that failed is tried again. */
export function enter(): void {
  flush();
  keep();
  if (failure.peek() || wasCancelled.peek()) again();
}
