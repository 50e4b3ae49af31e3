/** The watched folders, and what the watch service does now. */
import { effect, signal } from "@preact/signals";
import { api, ask, type Schemas } from "../../api/client";
import { connections, follow, isLive } from "../../api/live";
import { session } from "../../api/session";

export type WatchFolder = Schemas["WatchFolderAnswer"];
export type Stats = Schemas["FolderStats"];

/** Null: nobody knows yet. */
export const watchFolders = signal<WatchFolder[] | null>(null);
export const watchStatus = signal<Schemas["WatchStatus"] | null>(null);
export const watchError = signal<unknown>(null);

const ROOM = "watch-folders";
const AWAY_MS = 3_000;

/** Keep them up to date until the returned function is called. */
export function followWatching(): () => void {
  const timer = setInterval(() => {
    if (!isLive.peek() && !document.hidden && session.peek()) void loadWatching();
  }, AWAY_MS);
  const ends = [
    effect(() => void (connections.value >= 0 && loadWatching())),
    follow(ROOM, (told) => take(told as unknown as Schemas["WatchProgress"])),
    () => clearInterval(timer),
  ];
  return () => ends.forEach((end) => end());
}

function take(status: Schemas["WatchStatus"]): void {
  watchStatus.value = status;
  const known = watchFolders.peek()?.map(({ id }) => id) ?? [];
  // Another window, or another client, has added or removed one.
  if (known.toSorted().join() !== Object.keys(status.folder_stats).toSorted().join()) void loadFolders();
}

/** Ask the server anew. */
export async function loadWatching(): Promise<void> {
  try {
    watchStatus.value = await ask(api.GET("/watch-folders/service/status"));
    await loadFolders();
    watchError.value = null;
  } catch (error) {
    watchError.value = error;
  }
}

async function loadFolders(): Promise<void> {
  watchFolders.value = (await ask(api.GET("/watch-folders"))).watch_folders;
}
