/** The watched folders, and what the watch service does now. */
import { effect, signal } from "@preact/signals";
import { api, ask, type Schemas } from "../../api/client";
import { connections, follow, isLive } from "../../api/live";
import { poll } from "../../parts/polling";

export type WatchFolder = Schemas["WatchFolderAnswer"];
export type Stats = Schemas["FolderStats"];

/** Null: nobody knows yet. */
export const watchFolders = signal<WatchFolder[] | null>(null);
export const watchStatus = signal<Schemas["WatchStatus"] | null>(null);
export const watchError = signal<unknown>(null);

const ROOM = "watch-folders";
const AWAY_MS = 3_000;
const LIVE_MS = 15_000; // what the room does not tell, such as other hours

let asked = 0; // how often; an answer is old where it was asked again meanwhile
let shown = ""; // how the folders were when they were asked for last

/** Keep them up to date until the returned function is called. */
export function followWatching(): () => void {
  const { now, end } = poll(loadWatching, () => (isLive.peek() ? LIVE_MS : AWAY_MS));
  const ends = [
    // Anew where it is connected again, and sooner from then on where it is not.
    effect(() => void ((connections.value, isLive.value), now())),
    follow(ROOM, (told) => take(told as unknown as Schemas["WatchProgress"])),
    end,
  ];
  return () => ends.forEach((end) => end());
}

function take(status: Schemas["WatchStatus"]): void {
  watchStatus.value = status;
  // Another window, or another client, has added, changed or removed one.
  if (lookOf(status) !== shown) void loadWatching();
}

/** Changes where folders come, go, or are worked on otherwise. */
function lookOf({ folder_stats }: Schemas["WatchStatus"]): string {
  return JSON.stringify(Object.entries(folder_stats).map(([id, { state, reason }]) => [id, state, reason]));
}

/** Ask the server anew. */
export async function loadWatching(): Promise<void> {
  const turn = ++asked;
  try {
    const status = await ask(api.GET("/watch-folders/service/status"));
    const folders = (await ask(api.GET("/watch-folders"))).watch_folders;
    if (turn !== asked) return;
    shown = lookOf(status);
    watchFolders.value = folders;
    watchStatus.value = status;
    watchError.value = null;
  } catch (error) {
    if (turn === asked) watchError.value = error;
  }
}
