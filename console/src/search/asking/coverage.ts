/** How much of the folder is analyzed; asked again when a task ends and when the server is back. */
import { computed, effect, signal } from "@preact/signals";
import { api, ask, Refusal, type Schemas } from "../../api/client";
import { connections, follow } from "../../api/live";
import { Busy, isAbort } from "./patience";
import { coverageOf, isSpokenOnly } from "./request";
import { asked, isSearching } from "./results";

export type Coverage = Schemas["Coverage"];

export const coverage = signal<Coverage | null>(null);

const TASKS_MS = 20_000; // between looks at what others have begun
const IS_OVER: Schemas["TaskState"][] = ["completed", "cancelled", "failed"];
const renewals = signal(0);
// Words change nothing of it.
const about = computed(() => `${isSpokenOnly(asked.value)} ${asked.value.query.speaker !== ""} ${asked.value.query.dir}`);
const followed = new Map<string, () => void>();
let control = new AbortController();
let lastAbout = "";
let shown = "";
let lastEnd: number | undefined;
let timer = 0;

/** Keep `coverage` up to date until the returned function is called. */
export function followCoverage(): () => void {
  lastAbout = "";
  const seen = () => document.visibilityState === "visible" && renew();
  document.addEventListener("visibilitychange", seen);
  const looks = setInterval(() => document.hidden || void followTasks(), TASKS_MS);
  const ends = [
    effect(() => {
      const now = `${about.value} ${connections.value} ${renewals.value}`;
      // Hits come first.
      if (isSearching.value || now === lastAbout) return;
      lastAbout = now;
      if (about.value !== shown) coverage.value = null; // of something else
      shown = about.value;
      void load();
      void followTasks();
    }),
    () => document.removeEventListener("visibilitychange", seen),
    () => clearTimeout(timer),
    () => clearInterval(looks),
    () => followed.forEach((end) => end()),
    () => followed.clear(),
  ];
  return () => ends.forEach((end) => end());
}

function renew(): void {
  renewals.value += 1;
}

async function load(): Promise<void> {
  clearTimeout(timer);
  control.abort();
  control = new AbortController();
  const wanted = asked.peek();
  if (!wanted.query.dir) {
    coverage.value = null;
    return;
  }
  try {
    coverage.value = await coverageOf(wanted, control.signal);
  } catch (error) {
    // Without it the search still says what is wrong.
    if (!isAbort(error) && !(error instanceof Refusal)) throw error;
    if (error instanceof Refusal) coverage.value = null;
    if (error instanceof Busy) timer = window.setTimeout(renew, error.waitSeconds * 1000);
  }
}

async function followTasks(): Promise<void> {
  try {
    const { tasks } = await ask(api.GET("/tasks"));
    const end = Math.max(0, ...tasks.map(({ finished_at }) => finished_at ?? 0));
    if (lastEnd !== undefined && end > lastEnd) renew(); // it began and ended since
    lastEnd = end;
    for (const { task_id, status } of tasks) {
      if (IS_OVER.includes(status) || followed.has(task_id)) continue;
      followed.set(task_id, follow(task_id, (progress) => isOver(progress) && ended(task_id)));
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
}

function isOver({ status }: Schemas["TaskProgress"]): boolean {
  return IS_OVER.includes(status);
}

function ended(taskId: string): void {
  followed.get(taskId)?.();
  followed.delete(taskId);
  renew();
}
