/** Ranges of files that are to be exported together, in order. Kept in this browser, for all its windows. */
import { signal } from "@preact/signals";

export interface Range {
  id: string;
  cacheDir: string;
  mediaPath: string;
  start: number; // seconds
  end: number;
  imageUrl?: string; // of its first picture, signed: for this window only
}

const NAME = "rushes-basket";

export const basket = signal<Range[]>(read());
/** What was removed last, with where it was; it can be put back. */
export const removed = signal<{ range: Range; index: number }[]>([]);

basket.subscribe((ranges) => {
  const kept = JSON.stringify(ranges, (name, value: unknown) =>
    name === "imageUrl" ? undefined : value,
  );
  localStorage.setItem(NAME, kept);
});
addEventListener("storage", (event) => {
  if (event.key === NAME) basket.value = read();
});

export function addRange(range: Omit<Range, "id">): void {
  basket.value = [...basket.peek(), { ...range, id: newId() }];
}

/** Take ranges out: those with these ids. */
export function removeRanges(ids: string[]): void {
  const all = basket.peek().map((range, index) => ({ range, index }));
  removed.value = all.filter(({ range }) => ids.includes(range.id));
  basket.value = basket.peek().filter(({ id }) => !ids.includes(id));
}

/** Put back what was removed last. */
export function undoRemoval(): void {
  const ranges = [...basket.peek()];
  for (const { range, index } of removed.peek()) ranges.splice(index, 0, range);
  removed.value = [];
  basket.value = ranges;
}

/** Give a range another place; places beyond the ends are the ends. */
export function moveRange(id: string, place: number): void {
  const ranges = [...basket.peek()];
  const from = ranges.findIndex((one) => one.id === id);
  const to = Math.max(0, Math.min(place, ranges.length - 1));
  if (from < 0 || from === to) return;
  ranges.splice(to, 0, ...ranges.splice(from, 1));
  basket.value = ranges;
}

export function changeRange(id: string, changes: Partial<Pick<Range, "start" | "end">>): void {
  const picture = changes.start === undefined ? {} : { imageUrl: undefined }; // is another one
  basket.value = basket
    .peek()
    .map((one) => (one.id === id ? { ...one, ...picture, ...changes } : one));
}

function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), String).join("-");
}

function read(): Range[] {
  try {
    return JSON.parse(localStorage.getItem(NAME) ?? "[]") as Range[];
  } catch {
    return [];
  }
}
