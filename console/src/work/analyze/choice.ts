/** What is chosen to be analyzed, and how; it is kept while other pages are looked at. */
import { computed, signal } from "@preact/signals";
import { kept } from "../../parts/kept";
import { route } from "../../route";
import { folderOf } from "../browser/paths";
import { usualLibrary } from "./libraries";
import type { Parts } from "./parts";

/** Paths, and whether each is a folder. */
export const chosen = signal<ReadonlyMap<string, boolean>>(new Map());

export const parts = kept<Parts>("rushes-analyze", {
  pictures: true,
  speech: true,
  language: "",
  speakers: "",
  faces: false,
  collection: "",
}, { isShared: false }); // another window prepares another one

/** What was typed; null: the usual one. */
export const typedLibrary = signal<string | null>(null);

export const library = computed(() => {
  if (typedLibrary.value !== null) return typedLibrary.value;
  const folders = [...chosen.value].map(([path, isFolder]) => (isFolder ? path : folderOf(path)));
  return usualLibrary(folders.length > 0 ? folders : [route.value.params.get("at") ?? ""]);
});

export function choose(path: string, isFolder: boolean, isChosen: boolean): void {
  const next = new Map(chosen.peek());
  if (isChosen) next.set(path, isFolder);
  else next.delete(path);
  chosen.value = next;
}
