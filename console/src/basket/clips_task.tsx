/** The export of clips that was begun last: how far it is, and what became of each clip. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Schemas } from "../api/client";
import { connections, follow, type Progress } from "../api/live";
import { useDoing } from "../parts/doing";
import { kept } from "../parts/kept";
import { useLoad } from "../parts/load";
import { Failure } from "../parts/notice";
import { words } from "../words";
import { ClipResults } from "./clip_results";

/** Kept, so that it is there after the page was left. */
export const clipTask = kept("rushes-export-task", { id: "" });

const OVER: Schemas["TaskState"][] = ["completed", "cancelled", "failed"];

export function ClipsTask() {
  const { id } = clipTask.value;
  return id ? <Task key={id} id={id} /> : null;
}

function Task({ id }: { id: string }) {
  const progress = useSignal<Progress | null>(null);
  useEffect(() => follow(id, (latest) => (progress.value = latest)), []);
  const { status, current = 0 } = progress.value ?? {};
  const turn = `${current} ${status} ${connections.value}`; // then there is more to tell
  const clips = useLoad(turn, (signal) => clipsOf(id, signal));
  const shown = useSignal<Schemas["ClipsOfTask"] | null>(null);
  if (clips.data) shown.value = clips.data;
  const state = shown.value?.status ?? status;
  const isOver = state !== undefined && OVER.includes(state);
  return (
    <section class="task" aria-label={words.basket.lastExport}>
      <h3>{words.basket.lastExport}</h3>
      {clips.error != null && <Failure error={clips.error} again={clips.again} />}
      {state && <TaskState state={state} progress={progress.value} isOver={isOver} />}
      {shown.value && <ClipResults clips={shown.value} />}
      {isOver || clips.error != null ? (
        <button type="button" onClick={() => (clipTask.value = { id: "" })}>
          {words.basket.forget}
        </button>
      ) : (
        <Cancel id={id} />
      )}
    </section>
  );
}

interface TaskStateProps {
  state: Schemas["TaskState"];
  progress: Progress | null;
  isOver: boolean;
}

function TaskState({ state, progress, isOver }: TaskStateProps) {
  const message = progress?.waiting_for?.message ?? progress?.error ?? progress?.message;
  return (
    <>
      {!isOver && (
        <progress
          max="100"
          value={progress?.overall_progress ?? 0}
          aria-label={words.basket.lastExport}
        />
      )}
      <p role="status">{message ?? words.basket.states[state]}</p>
    </>
  );
}

function Cancel({ id }: { id: string }) {
  const { isBusy, error, run } = useDoing();
  const cancel = async () => {
    await ask(api.POST("/analyze/cancel", { body: { task_id: id } }));
  };
  return (
    <>
      <button type="button" disabled={isBusy} onClick={() => void run(cancel)}>
        {words.cancel}
      </button>
      {error.value != null && <Failure error={error.value} />}
    </>
  );
}

function clipsOf(id: string, signal: AbortSignal) {
  const params = { path: { task_id: id }, query: { download_urls: true } };
  return ask(api.GET("/tasks/{task_id}/exports", { params, signal }));
}
