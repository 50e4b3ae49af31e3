/** One task with all its files; it stays open when the task ends. */
import { useRef } from "preact/hooks";
import { Dialog } from "../../parts/dialog";
import { Failure } from "../../parts/notice";
import { words } from "../../words";
import { work } from "../../words/work";
import { Ways } from "./ended_task";
import { FailedFiles } from "./failed_files";
import { Bar, TaskFacts, TaskHead } from "./open_task";
import { isOver, messageOf, nameOf, useTask } from "./task";
import type { Task } from "./tasks";

const SHOWN = 200;
const says = work.dialog;

export function TaskDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const { task, error } = useTask(id, true).value;
  const wasOpen = useRef(false);
  if (task && !isOver(task)) wasOpen.current = true;
  return (
    <Dialog title={task ? says.title(nameOf(task)) : work.tasks.task} onClose={onClose}>
      {error != null && <Failure error={error} />}
      {!task && error == null && <p class="wait">{words.loading}</p>}
      {task && <Shown task={task} hasEndedNow={wasOpen.current && isOver(task)} />}
    </Dialog>
  );
}

function Shown({ task, hasEndedNow }: { task: Task; hasEndedNow: boolean }) {
  const state = work.tasks.states[task.status] ?? task.status;
  return (
    <div class="task-shown">
      <TaskHead task={task} />
      <p role="status">{hasEndedNow && says.over(state)}</p>
      <p>{messageOf(task)}</p>
      {task.status === "running" && <Bar task={task} />}
      <TaskFacts task={task} />
      {isOver(task) && (
        <div class="acts">
          <Ways task={task} />
        </div>
      )}
      <FailedFiles task={task} />
      <Files task={task} />
    </div>
  );
}

function Files({ task }: { task: Task }) {
  const files = task.files ?? [];
  if (files.length === 0) return <p class="hint">{says.noFiles}</p>;
  return (
    <>
      <h3>{says.files(files.length)}</h3>
      <ul class="task-files" aria-label={work.tasks.files} tabIndex={0}>
        {files.slice(0, SHOWN).map(({ media_path, state, worker, error, not_applicable }) => (
          <li key={media_path} class={state}>
            <span>{media_path}</span>
            <span class="hint">
              {[says.state[state], worker && says.by(worker), error, not_applicable].filter(Boolean).join(" · ")}
            </span>
          </li>
        ))}
      </ul>
      {files.length > SHOWN && <p class="hint">{says.more(files.length - SHOWN)}</p>}
    </>
  );
}
