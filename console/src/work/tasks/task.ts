/** One task, as it is now. */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { api, ask, type Schemas } from "../../api/client";
import { connections, follow, isLive, type Progress } from "../../api/live";
import { session } from "../../api/session";
import { work } from "../../words/work";
import type { Task } from "./tasks";

const AWAY_MS = 3_000;
const OVER: Schemas["TaskState"][] = ["completed", "cancelled", "failed"];

export function isOver({ status }: { status: Schemas["TaskState"] }): boolean {
  return OVER.includes(status);
}

export function kindOf({ kind }: Task): string {
  return work.tasks.kinds[kind] ?? kind;
}

/** "Analysis of Editing 1" */
export function nameOf(task: Task): string {
  return work.tasks.of(kindOf(task), task.owner ?? work.tasks.nobody);
}

/** Why it waits, or what it does or has done. */
export function messageOf({ waiting_for, error, message }: Task): string {
  if (!waiting_for) return error ?? message;
  return work.tasks.reasonOf(waiting_for.message, waiting_for.owner);
}

/** What was listed, with what its room has told since. */
export function useLatest(task: Task): Task {
  const heard = useSignal<{ since: Task; progress: Progress } | null>(null);
  const listed = useRef(task);
  listed.current = task;
  useEffect(
    () => follow(task.task_id, (progress) => (heard.value = { since: listed.current, progress })),
    [task.task_id],
  );
  return heard.value?.since === task ? { ...task, ...heard.value.progress } : task;
}

export interface Looked {
  task: Task | null;
  error: unknown;
}

/** A task with its files, asked for again whenever there is more to tell. */
export function useTask(id: string): Signal<Looked> {
  const found = useSignal<Looked>({ task: null, error: null });
  useEffect(() => {
    const look = async () => {
      try {
        found.value = { task: await taskOf(id), error: null };
      } catch (error) {
        found.value = { ...found.peek(), error };
      }
    };
    void look();
    let told = "";
    const unfollow = follow(id, (progress) => {
      const now = `${progress.status} ${progress.current}`;
      if (now !== told) void look();
      else if (found.peek().task) found.value = { ...found.peek(), task: { ...found.peek().task!, ...progress } };
      told = now;
    });
    const timer = setInterval(() => {
      const { task } = found.peek();
      if (!isLive.peek() && session.peek() && !(task && isOver(task))) void look();
    }, AWAY_MS);
    return () => {
      unfollow();
      clearInterval(timer);
    };
  }, [id, connections.value]);
  return found;
}

function taskOf(id: string): Promise<Task> {
  const params = { path: { task_id: id }, query: { files: true, details: true } };
  return ask(api.GET("/tasks/{task_id}", { params }));
}
