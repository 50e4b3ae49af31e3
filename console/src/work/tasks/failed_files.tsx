/** Files that failed, by their reasons: tried again or left out, all, some or one. */
import { signal, useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../../api/client";
import { may } from "../../api/session";
import { useDoing } from "../../parts/doing";
import { Failure } from "../../parts/notice";
import { fileName } from "../../parts/times";
import { hrefOf } from "../../route";
import { work } from "../../words/work";
import { Lacks } from "../lacks";
import { leaveOut } from "./left_out";
import { look, type Task } from "./tasks";

const SHOWN = 50; // of one reason
const says = work.failed;

type Deed = "again" | "out";
type Deeds = ReadonlyMap<string, Deed>; // what was done about a file

/** By task, for as long as this window is open. */
const deedsOf = signal<ReadonlyMap<string, Deeds>>(new Map());

export function FailedFiles({ task }: { task: Task }) {
  const isOpen = useSignal(false);
  if (task.failed_files.length === 0) return null;
  return (
    <details class="failed" onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
      <summary>{says.summary(task.failed_files.length)}</summary>
      {isOpen.value && <Failed task={task} />}
    </details>
  );
}

function Failed({ task }: { task: Task }) {
  const chosen = useSignal<ReadonlySet<string>>(new Set());
  const deeds = deedsOf.value.get(task.task_id) ?? new Map<string, Deed>();
  const said = useSignal("");
  const { isBusy, error, run } = useDoing();
  const left = task.failed_files.filter(({ media_path }) => !deeds.has(media_path));
  const some = left.map(({ media_path }) => media_path).filter((path) => chosen.value.has(path));
  const paths = some.length > 0 ? some : left.map(({ media_path }) => media_path);
  const done = (deed: Deed) => {
    const now = new Map([...deeds, ...paths.map((path) => [path, deed] as const)]);
    deedsOf.value = new Map([...deedsOf.peek(), [task.task_id, now]]);
    chosen.value = new Set();
  };
  const again = async () => {
    await tryAgain(task, paths.length === task.failed_files.length ? undefined : paths);
    done("again");
    said.value = says.begun;
    look();
  };
  const out = async () => {
    said.value = await leaveOut(task.cache_dir ?? "", paths, true);
    done("out");
  };
  const isMendable = task.kind === "analyze" || task.kind === "ingest";
  const isAll = some.length === 0;
  return (
    <div class="failed-files">
      <Reasons task={task} chosen={chosen.value} deeds={deeds} onChoose={(next) => (chosen.value = next)} />
      {isMendable && left.length > 0 && may("analyze") && (
        <div class="acts">
          {task.kind === "analyze" && (task.is_own || may("admin")) && (
            <button type="button" disabled={isBusy} onClick={() => void run(again)}>
              {says.again(paths.length, isAll)}
            </button>
          )}
          {task.cache_dir && (
            <button type="button" disabled={isBusy} title={says.hint} onClick={() => void run(out)}>
              {says.leaveOut(paths.length, isAll)}
            </button>
          )}
        </div>
      )}
      {task.kind === "ingest" && may("watch") && (
        <p class="hint">
          {says.watched} <a href={hrefOf("work/watch")}>{work.parts.watch}</a>
        </p>
      )}
      {isMendable && <Lacks scope="analyze" />}
      <p role="status">{said}</p>
      {[...deeds.values()].includes("out") && task.cache_dir && (
        <a href={hrefOf("work/left-out", new URLSearchParams({ dir: task.cache_dir }))}>{says.see}</a>
      )}
      {error.value != null && <Failure error={error.value} />}
    </div>
  );
}

interface ReasonsProps {
  task: Task;
  chosen: ReadonlySet<string>;
  deeds: Deeds;
  onChoose: (chosen: ReadonlySet<string>) => void;
}

function Reasons({ task, chosen, deeds, onChoose }: ReasonsProps) {
  const groups = new Map<string, Schemas["FailedFile"][]>();
  for (const file of task.failed_files) {
    const group = groups.get(file.error);
    if (group) group.push(file);
    else groups.set(file.error, [file]);
  }
  const choose = (paths: string[], isOn: boolean) => {
    const next = new Set(chosen);
    for (const path of paths) isOn ? next.add(path) : next.delete(path);
    onChoose(next);
  };
  return (
    <>
      {[...groups].map(([reason, files]) => {
        const left = files.map(({ media_path }) => media_path).filter((path) => !deeds.has(path));
        const isAll = left.length > 0 && left.every((path) => chosen.has(path));
        return (
          <fieldset key={reason}>
            <legend>
              <label class="check">
                <input
                  type="checkbox"
                  checked={isAll}
                  disabled={left.length === 0}
                  aria-label={says.all(reason)}
                  onChange={(event) => choose(left, event.currentTarget.checked)}
                />
                {says.group(reason, files.length)}
              </label>
            </legend>
            <ul>
              {files.slice(0, SHOWN).map(({ media_path: path }) => (
                <li key={path}>
                  <label class="check" title={path}>
                    <input
                      type="checkbox"
                      checked={chosen.has(path)}
                      disabled={deeds.has(path)}
                      onChange={(event) => choose([path], event.currentTarget.checked)}
                    />
                    {fileName(path)}
                  </label>
                  {deeds.has(path) && <span class="hint">{says.done[deeds.get(path)!]}</span>}
                </li>
              ))}
            </ul>
            {files.length > SHOWN && <p class="hint">{says.more(files.length - SHOWN)}</p>}
          </fieldset>
        );
      })}
    </>
  );
}

async function tryAgain(task: Task, paths: string[] | undefined): Promise<void> {
  const params = { path: { task_id: task.task_id } };
  await ask(api.POST("/tasks/{task_id}/retry", { params, body: { paths } }));
}
