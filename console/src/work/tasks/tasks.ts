/** The tasks that wait or run, in the order of the line, and those that ended last. */
import { effect, signal } from "@preact/signals";
import { api, ask, type Schemas } from "../../api/client";
import { connections, follow, isLive } from "../../api/live";
import { poll, type Polling } from "../../parts/polling";

export type Task = Schemas["TaskAnswer"];

/** Null: nobody knows yet. */
export const openTasks = signal<Task[] | null>(null);
export const endedTasks = signal<Task[] | null>(null);
/** Whether the line goes on after these. */
export const hasMoreOpen = signal(false);
/** Where older ones are, if there are any. */
export const olderAfter = signal<string | null>(null);
export const tasksError = signal<unknown>(null);

const OPEN_PAGE = 100;
const PAGE = 20;
const AWAY_MS = 3_000; // between looks while no room tells
const LIVE_MS = 15_000;
const ENDED_MS = 5_000; // those that ended are looked at less often, except where one is missing

let openSize = OPEN_PAGE;
let showsFailed = false; // of those that ended only the ones in which something failed
let endedAt = 0;
let polling: Polling | undefined;

/** Keep them up to date until the returned function is called. */
export function followTasks(): () => void {
  endedAt = 0;
  polling = poll(lookOnce, () => (isLive.peek() ? LIVE_MS : AWAY_MS));
  const ends = [
    // Anew where it is connected again, and sooner from then on where it is not.
    effect(() => void ((connections.value, isLive.value), look())),
    follow("tasks", look),
    polling.end,
  ];
  return () => ends.forEach((end) => end());
}

/** Of those that ended only the ones in which something failed, or all. */
export function showEnded(onlyFailed: boolean): void {
  if (onlyFailed === showsFailed) return;
  showsFailed = onlyFailed;
  endedTasks.value = null;
  olderAfter.value = null;
  endedAt = 0;
  look();
}

/** Ask the server anew. */
export function look(): void {
  polling?.now();
}

async function lookOnce(): Promise<void> {
  try {
    const before = openTasks.peek() ?? [];
    const { tasks, next } = await lookAtOpen();
    const now = new Set(tasks.map(({ task_id }) => task_id));
    const hasEnded = before.some(({ task_id }) => !now.has(task_id));
    if (hasEnded || Date.now() - endedAt > ENDED_MS) await lookAtEnded();
    openTasks.value = tasks;
    hasMoreOpen.value = next !== null;
    tasksError.value = null;
  } catch (error) {
    tasksError.value = error;
  }
}

/** From the beginning: they change places. */
async function lookAtOpen() {
  const tasks = new Map<string, Task>();
  let next: string | null = null;
  do {
    const query = { state: "open" as const, details: true, limit: OPEN_PAGE, after: next ?? undefined };
    const page: Schemas["TaskList"] = await ask(api.GET("/tasks", { params: { query } }));
    for (const task of page.tasks) tasks.set(task.task_id, task);
    next = page.next ?? null;
  } while (next && tasks.size < openSize);
  return { tasks: [...tasks.values()], next };
}

/** More of the line is shown. */
export function showMoreOpen(): void {
  openSize = (openTasks.peek()?.length ?? 0) + OPEN_PAGE;
  look();
}

async function lookAtEnded(): Promise<void> {
  const wanted = showsFailed;
  const page = await ended();
  if (wanted !== showsFailed) return; // it is asked again
  endedAt = Date.now();
  const before = endedTasks.peek();
  const ids = new Set(page.tasks.map(({ task_id }) => task_id));
  // Where none is in both, more have ended since than a page holds: the older ones come after a gap.
  const isJoined = before?.some(({ task_id }) => ids.has(task_id)) ?? false;
  const older = isJoined ? before!.filter(({ task_id }) => !ids.has(task_id)) : [];
  endedTasks.value = [...page.tasks, ...older];
  if (older.length === 0) olderAfter.value = page.next ?? null;
}

export async function showOlder(): Promise<void> {
  const [wanted, after] = [showsFailed, olderAfter.peek()];
  const page = await ended(after ?? undefined);
  if (wanted !== showsFailed || after !== olderAfter.peek()) return; // they follow another list
  const before = endedTasks.peek() ?? [];
  const ids = new Set(before.map(({ task_id }) => task_id));
  endedTasks.value = [...before, ...page.tasks.filter(({ task_id }) => !ids.has(task_id))];
  olderAfter.value = page.next ?? null;
}

function ended(after?: string) {
  const state = showsFailed ? ("failed" as const) : ("ended" as const);
  const query = { state, details: true, limit: PAGE, after };
  return ask(api.GET("/tasks", { params: { query } }));
}
