/** What runs, waits and has ended. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { may } from "../../api/session";
import { useDoing } from "../../parts/doing";
import { Failure, Notice } from "../../parts/notice";
import { change, hrefOf, route } from "../../route";
import { words } from "../../words";
import { work } from "../../words/work";
import { Lacks } from "../lacks";
import { CancelDialog } from "./cancel_dialog";
import { EndedTask } from "./ended_task";
import { OpenTask } from "./open_task";
import { TaskDialog } from "./task_dialog";
import {
  endedTasks,
  followTasks,
  hasMoreOpen,
  look,
  olderAfter,
  openTasks,
  showEnded,
  showMoreOpen,
  showOlder,
  type Task,
  tasksError,
} from "./tasks";

const says = work.tasks;

export function TasksPage() {
  const cancelling = useSignal<Task | null>(null);
  useEffect(followTasks, []);
  const shown = route.value.params.get("task");
  if (tasksError.value && !openTasks.value) return <Failure error={tasksError.value} again={look} />;
  if (!openTasks.value) return <p class="wait">{words.loading}</p>;
  return (
    <>
      {tasksError.value != null && <Failure error={tasksError.value} />}
      <Open tasks={openTasks.value} onCancel={(task) => (cancelling.value = task)} />
      <Ended tasks={endedTasks.value} />
      {shown && <TaskDialog key={shown} id={shown} onClose={() => change({ task: null })} />}
      {cancelling.value && (
        <CancelDialog task={cancelling.value} onClose={() => (cancelling.value = null)} />
      )}
    </>
  );
}

function Open({ tasks, onCancel }: { tasks: Task[]; onCancel: (task: Task) => void }) {
  return (
    <section aria-labelledby="open-tasks">
      <h2 id="open-tasks" tabIndex={-1}>{says.open}</h2>
      {tasks.length === 0 ? (
        <Idle />
      ) : (
        <ol class="tasks" aria-label={says.open}>
          {tasks.map((task) => (
            <OpenTask key={task.task_id} task={task} onCancel={onCancel} />
          ))}
        </ol>
      )}
      {hasMoreOpen.value && (
        <button type="button" onClick={showMoreOpen}>
          {says.more}
        </button>
      )}
      <Lacks scope="analyze" />
    </section>
  );
}

function Idle() {
  return (
    <Notice title={says.idle}>
      <p class="hint">{says.idleMore}</p>
      <p class="ways">
        {may("analyze") && <a href={hrefOf("work/analyze")}>{work.parts.analyze}</a>}
        {may("watch") && <a href={hrefOf("work/watch")}>{work.parts.watch}</a>}
      </p>
    </Notice>
  );
}

function Ended({ tasks }: { tasks: Task[] | null }) {
  const { isBusy, error, run } = useDoing();
  const onlyFailed = route.value.params.get("ended") === "failed";
  useEffect(() => showEnded(onlyFailed), [onlyFailed]);
  return (
    <section aria-labelledby="ended-tasks">
      <div class="ended-head">
        <h2 id="ended-tasks">{says.ended}</h2>
        <label class="check">
          <input
            type="checkbox"
            checked={onlyFailed}
            onChange={(event) => change({ ended: event.currentTarget.checked ? "failed" : null })}
          />
          {says.onlyFailed}
        </label>
      </div>
      {!tasks && <p class="wait">{words.loading}</p>}
      {tasks?.length === 0 && <p class="hint">{onlyFailed ? says.noneFailed : says.noneEnded}</p>}
      <ol class="tasks" aria-label={says.ended}>
        {tasks?.map((task) => (
          <EndedTask key={task.task_id} task={task} />
        ))}
      </ol>
      {error.value != null && <Failure error={error.value} />}
      {olderAfter.value && (
        <button type="button" disabled={isBusy} onClick={() => void run(showOlder)}>
          {says.older}
        </button>
      )}
    </section>
  );
}
