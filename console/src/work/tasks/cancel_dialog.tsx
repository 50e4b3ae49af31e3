/** Asks once before a task is cancelled, and says what stays. */
import { api, ask } from "../../api/client";
import { Dialog } from "../../parts/dialog";
import { useDoing } from "../../parts/doing";
import { Failure } from "../../parts/notice";
import { words } from "../../words";
import { useFocusAfter } from "../focus";
import { work } from "../../words/work";
import { isOver, kindOf, nameOf, useTask } from "./task";
import { look, type Task } from "./tasks";

const says = work.cancel;

export function CancelDialog({ task, onClose }: { task: Task; onClose: () => void }) {
  const latest = useTask(task.task_id, false).value.task ?? task;
  const { isBusy, error, run } = useDoing();
  const goes = useFocusAfter("open-tasks");
  if (isOver(latest)) goes();
  const cancel = async () => {
    const { cancelled } = await ask(api.POST("/analyze/cancel", { body: { task_id: task.task_id } }));
    look();
    if (!cancelled) return;
    goes();
    onClose();
  };
  return (
    <Dialog title={says.title(kindOf(task))} onClose={onClose}>
      <p>{nameOf(task)}</p>
      {isOver(latest) ? (
        <p role="alert">{says.over(latest.error ?? latest.message)}</p>
      ) : (
        <>
          <p>{says.stays[task.kind]}</p>
          {!task.is_own && task.owner && <p>{says.notYours(task.owner)}</p>}
        </>
      )}
      {error.value != null && <Failure error={error.value} />}
      <div class="acts">
        {isOver(latest) ? (
          <button type="button" onClick={onClose}>
            {words.close}
          </button>
        ) : (
          <>
            <button type="button" class="primary" disabled={isBusy} onClick={() => void run(cancel)}>
              {says.yes}
            </button>
            <button type="button" onClick={onClose}>
              {says.no}
            </button>
          </>
        )}
      </div>
    </Dialog>
  );
}
