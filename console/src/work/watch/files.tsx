/** Files of a watched folder that are in one state, and why they are. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask, type Schemas } from "../../api/client";
import { may } from "../../api/session";
import { useDoing } from "../../parts/doing";
import { useLoad } from "../../parts/load";
import { Failure } from "../../parts/notice";
import { hrefOf } from "../../route";
import { words } from "../../words";
import { work } from "../../words/work";
import { focusOn } from "../focus";
import { Lacks } from "../lacks";
import { leaveOut } from "../tasks/left_out";
import type { Stats, WatchFolder } from "./watching";

export type Group = Schemas["FileGroup"];
type Item = Schemas["WatchedFileItem"];

export const GROUPS: Group[] = ["pending", "processed", "failed", "skipped", "unsupported"];
const PAGE = 100;
const LIST = "watched-files"; // only one folder shows its files
const says = work.watch;

interface WatchedFilesProps {
  folder: WatchFolder;
  group: Group;
  stats: Stats;
}

export function WatchedFiles({ folder, group, stats }: WatchedFilesProps) {
  const size = useSignal(PAGE);
  const load = useLoad(`${folder.id} ${group}`, (signal) => filesOf(folder, group, size.peek(), signal));
  const { files_pending, files_processed, files_failed, files_skipped, files_unsupported, state } = stats;
  const counts = [files_pending, files_processed, files_failed, files_skipped, files_unsupported];
  const turn = [...counts, state, size.value].join();
  useEffect(() => {
    if (load.data) load.again();
  }, [turn]);
  const { data, error } = load;
  if (error != null) return <Failure error={error} again={load.again} />;
  if (!data) return <p class="wait">{words.loading}</p>;
  return (
    <div class="watched-files" id={LIST} tabIndex={-1} role="group" aria-label={says.groups[group] ?? group}>
      {data.total === 0 && <p class="hint">{says.noFiles}</p>}
      <ul class="rows" aria-label={says.filesOf(says.groups[group] ?? group)}>
        {data.files.map((file) => (
          <File key={file.path} folder={folder} file={file} />
        ))}
      </ul>
      {data.next && (
        <button type="button" onClick={() => (size.value += PAGE)}>
          {says.more}
        </button>
      )}
      {group === "skipped" && may("search") && (
        <a href={hrefOf("work/left-out", new URLSearchParams({ dir: folder.cache_dir }))}>
          {work.failed.see}
        </a>
      )}
      {group === "failed" && <Lacks scope="analyze" />}
    </div>
  );
}

/** `size` files and a page more at most, from the beginning: they change places while they are looked at. */
async function filesOf(folder: WatchFolder, group: Group, size: number, signal: AbortSignal) {
  const path = { watch_folder_id: folder.id };
  const files: Item[] = [];
  let [total, next]: [number, string | null] = [0, null];
  do {
    const query = { state: group, limit: PAGE, after: next ?? undefined };
    const page: Schemas["WatchedFilePage"] = await ask(
      api.GET("/watch-folders/{watch_folder_id}/files", { params: { path, query }, signal }),
    );
    files.push(...page.files);
    [total, next] = [page.total, page.next ?? null];
  } while (next && files.length < size);
  return { files, total, next };
}

function File({ folder, file }: { folder: WatchFolder; file: Item }) {
  const { isBusy, error, run } = useDoing();
  const said = useSignal("");
  const params = { path: { watch_folder_id: folder.id } };
  const name = shortOf(file.path, folder.path);
  const again = async () => {
    const body = { paths: [file.path] };
    said.value = (await ask(api.POST("/watch-folders/{watch_folder_id}/retry", { params, body }))).message;
    focusOn(LIST); // what was pressed is going
  };
  const out = async () => {
    said.value = await leaveOut(folder.cache_dir, [file.path], true);
    focusOn(LIST);
  };
  const isOpen = file.state === "failed" || file.state === "pending";
  const why = file.reason ?? (file.state === "pending" ? says.nothingHinders : "");
  return (
    <li>
      <span class="name" title={file.path}>
        {name}
        <span class="hint">
          {[why, file.tries > 0 && says.tries(file.tries), work.bytes(file.size)].filter(Boolean).join(" · ")}
        </span>
        <span role="status">{said}</span>
        {error.value != null && <Failure error={error.value} />}
      </span>
      {file.state === "failed" && (
        <button
          type="button"
          disabled={isBusy}
          aria-label={says.actOn(work.failed.againOne, name)}
          onClick={() => void run(again)}
        >
          {work.failed.againOne}
        </button>
      )}
      {isOpen && may("analyze") && (
        <button
          type="button"
          disabled={isBusy}
          title={work.failed.hint}
          aria-label={says.actOn(work.failed.leaveOutOne, name)}
          onClick={() => void run(out)}
        >
          {work.failed.leaveOutOne}
        </button>
      )}
    </li>
  );
}

/** Where it lies in the folder. */
function shortOf(path: string, folder: string): string {
  return path.startsWith(folder) ? path.slice(folder.length).replace(/^[/\\]+/, "") : path;
}
