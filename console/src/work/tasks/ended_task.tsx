/** A task that has ended, and what became of its files. */
import { hrefOf } from "../../route";
import { work } from "../../words/work";
import { FailedFiles } from "./failed_files";
import { TaskHead } from "./open_task";
import { nameOf } from "./task";
import type { Task } from "./tasks";

const says = work.tasks;

export function EndedTask({ task }: { task: Task }) {
  const name = nameOf(task);
  return (
    <li class="task-row over" aria-label={name}>
      <TaskHead task={task} />
      <p>{task.error ?? task.message}</p>
      <Outcome task={task} />
      <div class="acts">
        <a href={hrefOf("work", new URLSearchParams({ task: task.task_id }))} aria-label={says.detailsOf(name)}>
          {says.details}
        </a>
        <Ways task={task} />
      </div>
      <FailedFiles task={task} />
    </li>
  );
}

function Outcome({ task }: { task: Task }) {
  const { finished_at, created_at, cache_dir, total, current, not_applicable } = task;
  const parts = [
    finished_at != null && says.endedAt(finished_at, created_at),
    total > 0 && `${says.files}: ${says.filesOf(current, total)}`,
    not_applicable && work.notApplicable(not_applicable.length),
    cache_dir,
  ];
  return <p class="hint">{parts.filter(Boolean).join(" · ")}</p>;
}

/** Where to go on from a task. */
export function Ways({ task }: { task: Task }) {
  const isSearchable = task.cache_dir && ["analyze", "ingest"].includes(task.kind);
  return (
    <>
      {isSearchable && task.cache_dir && (
        <a href={hrefOf("search", new URLSearchParams({ dir: task.cache_dir }))}>{work.search}</a>
      )}
      {task.superseded_by && (
        <a href={hrefOf("work", new URLSearchParams({ task: task.superseded_by }))}>{says.superseded}</a>
      )}
    </>
  );
}
