/** A task that waits or runs: where it stands in line, why it waits, how far and how fast it is. */
import { api, ask } from "../../api/client";
import { useDoing } from "../../parts/doing";
import { fileName } from "../../parts/times";
import { hrefOf } from "../../route";
import { may } from "../../api/session";
import { work } from "../../words/work";
import { focusOn } from "../focus";
import { isOver, kindOf, messageOf, nameOf, useLatest } from "./task";
import { look, type Task } from "./tasks";
import { Failure } from "../../parts/notice";

const says = work.tasks;

export function OpenTask({ task, onCancel }: { task: Task; onCancel: (task: Task) => void }) {
  const now = useLatest(task);
  const name = nameOf(now);
  const waits = now.waiting_for ?? null;
  const isWaiting = waits !== null || now.status === "queued";
  return (
    <li class={isWaiting ? "task-row waiting" : "task-row"} aria-label={name}>
      <TaskHead task={now} />
      <p class={waits ? "reason" : undefined}>{messageOf(now)}</p>
      {!isWaiting && <Bar task={now} />}
      <TaskFacts task={now} />
      <div class="acts">
        <a href={hrefOf("work", new URLSearchParams({ task: now.task_id }))} aria-label={says.detailsOf(name)}>
          {says.details}
        </a>
        <First task={now} />
        {now.may_cancel && now.status !== "stopping" && !isOver(now) && (
          <button type="button" aria-label={says.cancelOf(name)} onClick={() => onCancel(now)}>
            {says.cancel}
          </button>
        )}
      </div>
    </li>
  );
}

export function TaskHead({ task }: { task: Task }) {
  return (
    <div class="about">
      <h3>{kindOf(task)}</h3>
      <span class={`state ${task.status}`}>{says.states[task.status]}</span>
      {task.place != null && <span class="place">{says.place(task.place)}</span>}
      <span class="hint">
        {task.owner ?? says.nobody}
        {task.is_own && ` (${says.yours})`}
      </span>
    </div>
  );
}

export function Bar({ task }: { task: Task }) {
  return <progress max="100" value={task.overall_progress} aria-label={says.progress(kindOf(task))} />;
}

export function TaskFacts({ task }: { task: Task }) {
  const isRunning = task.status === "running";
  const facts: [string, string | false | null | undefined][] = [
    [says.file, isRunning && task.media_path && fileName(task.media_path)],
    [says.files, task.total > 0 && says.filesOf(task.current, task.total)],
    [says.rate, isRunning && task.rate != null && says.rateOf(task.rate)],
    [says.left, !isOver(task) && task.eta_seconds != null && says.leftOf(task.eta_seconds)],
    [says.begun, work.moment(task.created_at)],
    [says.client, task.client?.address],
    [says.library, task.cache_dir],
  ];
  const failed = isOver(task) ? 0 : (task.failed_count ?? 0);
  return (
    <>
      <dl class="facts in-line">
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd title={name === says.file ? (task.media_path ?? undefined) : undefined}>{value}</dd>
              </div>
            ),
        )}
      </dl>
      {failed > 0 && <p class="error">{says.failedSoFar(failed)}</p>}
    </>
  );
}

/** Before everybody's for administrators, else before one's own. */
function First({ task }: { task: Task }) {
  const { isBusy, error, run } = useDoing();
  const ofAll = may("admin");
  if (!task.may_put_first || task.place == null || task.place < 2) return null;
  const put = async () => {
    const params = { path: { task_id: task.task_id } };
    await ask(api.POST("/tasks/{task_id}/first", { params, body: { of_all: ofAll } }));
    look();
    focusOn("open-tasks"); // what was pressed is going
  };
  const what = ofAll ? says.first : says.firstOfMine;
  return (
    <>
      <button
        type="button"
        disabled={isBusy}
        aria-label={`${what}: ${nameOf(task)}`}
        onClick={() => void run(put)}
      >
        {what}
      </button>
      {error.value != null && <Failure error={error.value} />}
    </>
  );
}
