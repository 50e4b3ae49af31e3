/** A watched folder: its counts, what holds it up, and what can be done about it. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../../api/client";
import { useDoing } from "../../parts/doing";
import { Failure } from "../../parts/notice";
import { change, hrefOf, route } from "../../route";
import { work } from "../../words/work";
import { GROUPS, type Group, WatchedFiles } from "./files";
import { loadWatching, type Stats, type WatchFolder } from "./watching";

const says = work.watch;

interface WatchedFolderProps {
  folder: WatchFolder;
  stats?: Stats; // undefined: it was added just now
  onRemove: () => void;
}

export function WatchedFolder({ folder, stats, onRemove }: WatchedFolderProps) {
  const { params } = route.value;
  const group = params.get("folder") === folder.id ? groupOf(params.get("state")) : null;
  return (
    <li class="task-row" aria-label={folder.path}>
      <div class="about">
        <h3>{folder.path}</h3>
        {stats && (
          <span class={`state ${stats.state}`}>
            {folder.enabled ? says.states[stats.state] : says.disabled}
          </span>
        )}
      </div>
      <Reason folder={folder} stats={stats} />
      {stats && <Counts folder={folder} stats={stats} shown={group} />}
      <p class="hint">{[...whatOf(folder), ...(stats ? lookedOf(stats) : [])].join(" · ")}</p>
      <Acts folder={folder} stats={stats} onRemove={onRemove} />
      {group && stats && <WatchedFiles key={group} folder={folder} group={group} stats={stats} />}
    </li>
  );
}

function groupOf(state: string | null): Group {
  return GROUPS.find((one) => one === state) ?? "pending";
}

function Reason({ folder, stats }: { folder: WatchFolder; stats?: Stats }) {
  if (!folder.enabled) return <p class="reason">{says.paused}</p>;
  return stats?.reason ? <p class="reason">{stats.reason}</p> : null;
}

function whatOf(folder: WatchFolder): string[] {
  const { kinds } = work.browser;
  const analyzed = [
    folder.analyze_visual && kinds.visual,
    folder.analyze_speech && [kinds.speech, folder.language && `(${folder.language})`].filter(Boolean).join(" "),
    folder.analyze_faces && `${kinds.faces} (${folder.cluster_job_name})`,
  ].filter((one): one is string => Boolean(one));
  const { schedule } = folder;
  return [
    `${says.analyzes(analyzed)} ${says.into} ${folder.cache_dir}`,
    ...(schedule ? [says.hours(schedule.start, schedule.stop)] : []),
  ];
}

function lookedOf({ last_scan_at, is_polling, files_not_applicable }: Stats): string[] {
  return [
    ...(last_scan_at == null ? [] : [says.scanned(last_scan_at)]),
    ...(is_polling ? [says.polling] : []),
    ...(files_not_applicable ? [work.notApplicable(files_not_applicable)] : []),
  ];
}

const COUNTS = {
  pending: "files_pending",
  processed: "files_processed",
  failed: "files_failed",
  skipped: "files_skipped",
  unsupported: "files_unsupported",
} as const satisfies Record<Group, keyof Stats>;

export function countOf(stats: Stats, group: Group): number {
  return stats[COUNTS[group]];
}

interface CountsProps {
  folder: WatchFolder;
  stats: Stats;
  shown: Group | null;
}

function Counts({ folder, stats, shown }: CountsProps) {
  return (
    <div class="counts" role="group" aria-label={work.tasks.files}>
      {GROUPS.map((group) => {
        const count = countOf(stats, group);
        const toggle = () =>
          change(group === shown ? { folder: null, state: null } : { folder: folder.id, state: group });
        return (
          <button
            key={group}
            type="button"
            class={count > 0 ? group : `${group} none`}
            aria-expanded={group === shown}
            onClick={toggle}
          >
            {says.countOf(count, says.groups[group] ?? group)}
          </button>
        );
      })}
    </div>
  );
}

function Acts({ folder, stats, onRemove }: WatchedFolderProps) {
  const { isBusy, error, run } = useDoing();
  const params = { path: { watch_folder_id: folder.id } };
  const failed = stats?.files_failed ?? 0;
  const said = useSignal("");
  const pause = async () => {
    const body: Schemas["WatchFolderChanges"] = { enabled: !folder.enabled };
    await ask(api.PUT("/watch-folders/{watch_folder_id}", { params, body }));
    await loadWatching();
  };
  const retry = async () => {
    said.value = (await ask(api.POST("/watch-folders/{watch_folder_id}/retry", { params, body: {} }))).message;
    await loadWatching();
  };
  const pauses = folder.enabled ? says.pause : says.resume;
  return (
    <>
      <div class="acts">
        <a href={hrefOf("search", new URLSearchParams({ dir: folder.cache_dir }))}>{work.search}</a>
        {failed > 0 && (
          <button type="button" disabled={isBusy} onClick={() => void run(retry)}>
            {says.retryAll(failed)}
          </button>
        )}
        <button
          type="button"
          disabled={isBusy}
          aria-label={says.actOn(pauses, folder.path)}
          onClick={() => void run(pause)}
        >
          {pauses}
        </button>
        <a
          class="button"
          href={hrefOf("work/watch/change", new URLSearchParams({ id: folder.id }))}
          aria-label={says.actOn(says.change, folder.path)}
        >
          {says.change}
        </a>
        <button type="button" aria-label={says.actOn(says.remove, folder.path)} onClick={onRemove}>
          {says.remove}
        </button>
      </div>
      <p role="status">{said}</p>
      {error.value != null && <Failure error={error.value} />}
    </>
  );
}
