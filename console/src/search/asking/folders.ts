/** The cache folders that the server knows, and the one that is searched. */
import { computed, effect, signal } from "@preact/signals";
import { api, type Schemas } from "../../api/client";
import { connections, follow } from "../../api/live";
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

const LOOK_MS = 5_000; // at most so often while tasks begin and end
const GOING_ON_MS = 30_000; // the same while tasks only go on, as far as their number shows

/** Keep them up to date until the returned function is called: an analysis may make a new one. */
export function followFolders(): () => void {
  let timer = 0;
  let due = Infinity;
  let lastOpen: unknown;
  const soon = (told: unknown) => {
    const { open } = told as { open?: number };
    // A short task may begin and end between two events, which then tell the same number.
    const wait = open === lastOpen && folders.peek()?.length ? GOING_ON_MS : LOOK_MS;
    lastOpen = open;
    if (Date.now() + wait >= due) return;
    due = Date.now() + wait;
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      due = Infinity;
      void loadFolders();
    }, wait);
  };
  const ends = [
    effect(() => void (connections.value >= 0 && loadFolders())),
    follow("tasks", soon),
    () => clearTimeout(timer),
  ];
  return () => ends.forEach((end) => end());
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
