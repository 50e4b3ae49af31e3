/** The cache folders that the server knows, and the one that is searched. */
import { computed, effect, signal } from "@preact/signals";
import { api, type Schemas } from "../../api/client";
import { answerOf } from "./patience";
import { query } from "./query";

const NAME = "rushes-library";

/** Null: nobody knows yet. */
export const folders = signal<Schemas["KnownFolder"][] | null>(null);
export const foldersError = signal<unknown>(null);
const lastUsed = signal(localStorage.getItem(NAME) ?? "");

/** The address says it, else what was used last, else what the server used last. "": there is none. */
export const library = computed(
  () => query.value.dir || lastUsed.value || folders.value?.[0]?.cache_dir || "",
);

effect(() => keepFolder(query.value.dir));

/** It is the one that was used last from now on. */
export function keepFolder(dir: string): void {
  if (!dir) return;
  lastUsed.value = dir;
  localStorage.setItem(NAME, dir);
}

/** Ask the server anew. */
export async function loadFolders(): Promise<void> {
  try {
    folders.value = (await answerOf(api.GET("/analysis-data/folders"))).folders;
    foldersError.value = null;
  } catch (error) {
    foldersError.value = error;
  }
}
