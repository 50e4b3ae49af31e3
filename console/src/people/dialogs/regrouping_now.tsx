/** The faces are being grouped anew: how far that is, and afterwards what changed. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Schemas } from "../../api/client";
import { connections, follow, type Progress } from "../../api/live";
import { useDoing } from "../../parts/doing";
import { Failure } from "../../parts/notice";
import { says } from "../../words/people";
import { type Cast, cast, dir, load } from "../state/cast";
import { message } from "../state/changes";

interface Regrouping {
  taskId: string;
  dir: string;
  before: Cast;
  progress: Progress | null;
}

const now = signal<Regrouping | null>(null);
const OVER: Schemas["TaskState"][] = ["completed", "cancelled", "failed"];

export function beginRegrouping(taskId: string, before: Cast): void {
  now.value = { taskId, dir: dir.peek(), before, progress: null };
}

export function RegroupingNow() {
  const shown = now.value;
  const isHere = shown?.dir === dir.value && shown.before.collection === cast.value?.collection;
  return shown && isHere ? <Running key={shown.taskId} regrouping={shown} /> : null;
}

function Running({ regrouping }: { regrouping: Regrouping }) {
  const { taskId, progress } = regrouping;
  const { isBusy, error, run } = useDoing();
  useEffect(() => follow(taskId, (latest) => void take(regrouping, latest)), [taskId, connections.value]);
  const text = progress?.waiting_for?.message ?? progress?.message ?? says.regroup.running;
  const cancel = async () => {
    await ask(api.POST("/analyze/cancel", { body: { task_id: taskId } }));
  };
  return (
    <section class="regrouping" aria-label={says.regroup.title}>
      <progress max="100" value={progress?.overall_progress ?? 0} aria-label={says.regroup.title} />
      <p role="status">{text}</p>
      <button type="button" disabled={isBusy} onClick={() => void run(cancel)}>
        {says.regroup.cancel}
      </button>
      {error.value != null && <Failure error={error.value} />}
    </section>
  );
}

async function take(regrouping: Regrouping, progress: Progress): Promise<void> {
  if (now.peek()?.taskId !== regrouping.taskId) return;
  if (!OVER.includes(progress.status)) {
    now.value = { ...regrouping, progress };
    return;
  }
  now.value = null;
  await load();
  message.value = outcome(regrouping.before, progress);
}

function outcome(before: Cast, { status, error, message: said }: Progress) {
  if (status === "failed") return { text: error ?? said ?? says.regroup.cancelled, isError: true };
  if (status === "cancelled") return { text: says.regroup.cancelled };
  const amount = ({ people, loose }: Cast) => says.regroup.amount(people.length, loose);
  const [was, is] = [amount(before), amount(cast.peek() ?? before)];
  return { text: was === is ? says.regroup.same(is) : says.regroup.done(was, is) };
}
