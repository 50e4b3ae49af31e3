/** One task, as it is now. */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { api, ask, Refusal, type Schemas } from "../../api/client";
import { connections, follow, isLive, type Progress } from "../../api/live";
import { session } from "../../api/session";
import { work } from "../../words/work";
import type { Task } from "./tasks";

const AWAY_MS = 3_000; // between looks while no room tells
const FILES_MS = 5_000; // the files may be many
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

/** A task, asked for again whenever there is more to tell; `files`: with what became of each. */
export function useTask(id: string, files: boolean): Signal<Looked> {
  const found = useSignal<Looked>({ task: null, error: null });
  useEffect(() => {
    const take = (looked: Partial<Looked>) => (found.value = { ...found.peek(), ...looked });
    const looks = new Looks((signal) => taskOf(id, files, signal), take);
    let told = "";
    const unfollow = follow(id, (progress) => {
      const { task } = found.peek();
      if (task) take({ task: { ...task, ...progress } });
      const [before] = told.split(" ");
      if (progress.status !== before) looks.look();
      else if (files && `${progress.status} ${progress.current}` !== told) looks.isOld = true;
      told = `${progress.status} ${progress.current}`;
    });
    looks.look();
    const timer = setInterval(() => {
      const { task } = found.peek();
      if (document.hidden || !session.peek()) return;
      const isSilent = !isLive.peek() && !(task && isOver(task));
      if (looks.isOld ? looks.age >= FILES_MS : isSilent && looks.age >= AWAY_MS) looks.look();
    }, 1_000);
    return () => {
      unfollow();
      looks.end();
      clearInterval(timer);
    };
  }, [id, connections.value]);
  return found;
}

/** Questions about one task, one after the other, until it is gone. */
class Looks {
  isOld = false; // something has happened since
  private askedAt = 0;
  private isAsking = false;
  private isAgain = false;
  private readonly control = new AbortController();

  constructor(
    private readonly asks: (signal: AbortSignal) => Promise<Task>,
    private readonly take: (looked: Partial<Looked>) => void,
  ) {}

  get age(): number {
    return Date.now() - this.askedAt;
  }

  look(): void {
    if (this.isAsking) this.isAgain = true;
    else if (!this.control.signal.aborted) void this.askOnce();
  }

  end(): void {
    this.control.abort();
  }

  private async askOnce(): Promise<void> {
    this.askedAt = Date.now();
    this.isAsking = true;
    this.isAgain = this.isOld = false;
    const { signal } = this.control;
    try {
      const task = await this.asks(signal);
      if (!signal.aborted) this.take({ task, error: null });
    } catch (error) {
      if (signal.aborted) return;
      this.take({ error });
      if (error instanceof Refusal && error.status === 404) this.end();
      else this.isOld = true;
    } finally {
      this.isAsking = false;
    }
    if (this.isAgain) this.look();
  }
}

function taskOf(id: string, files: boolean, signal: AbortSignal): Promise<Task> {
  const params = { path: { task_id: id }, query: { files, details: true } };
  return ask(api.GET("/tasks/{task_id}", { params, signal }));
}
