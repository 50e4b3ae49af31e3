/** The folders that are watched: what is done and what waits, and why. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { api, ask, type Schemas } from "../../api/client";
import { may } from "../../api/session";
import { useDoing } from "../../parts/doing";
import { Failure, Notice } from "../../parts/notice";
import { fileName } from "../../parts/times";
import { go, hrefOf, route } from "../../route";
import { words } from "../../words";
import { work } from "../../words/work";
import { WatchedFolder } from "./folder";
import { RemoveDialog } from "./remove_dialog";
import { WatchForm } from "./form";
import { followWatching, loadWatching, type WatchFolder, watchError, watchFolders, watchStatus } from "./watching";

const says = work.watch;

export function WatchPage() {
  if (!may("watch")) return <Notice title={words.session.lacks("watch")} />;
  return <Watching />;
}

function Watching() {
  useEffect(followWatching, []);
  const changed = useRef<WatchFolder | null>(null);
  const [, , what = ""] = route.value.page.split("/");
  const [folders, status] = [watchFolders.value, watchStatus.value];
  if (watchError.value && !folders) return <Failure error={watchError.value} again={() => void loadWatching()} />;
  if (!folders || !status) return <p class="wait">{words.loading}</p>;
  const id = what === "change" ? route.value.params.get("id") : null;
  // One that somebody removes meanwhile stays, with what was typed about it.
  if (changed.current?.id !== id) changed.current = null;
  changed.current ??= folders.find((folder) => folder.id === id) ?? null;
  const leave = () => go("work/watch");
  if (what === "add") return <WatchForm onEnd={leave} />;
  if (changed.current) {
    const { id } = changed.current;
    const isGone = !folders.some((folder) => folder.id === id);
    return <WatchForm key={id} folder={changed.current} isGone={isGone} onEnd={leave} />;
  }
  return (
    <>
      {watchError.value != null && <Failure error={watchError.value} />}
      <Service status={status} />
      <Folders folders={folders} status={status} />
    </>
  );
}

function Service({ status }: { status: Schemas["WatchStatus"] }) {
  const { isBusy, error, run } = useDoing();
  const isStopped = status.state === "stopped" || status.state === "stopping";
  const toggle = async () => {
    if (isStopped) await ask(api.POST("/watch-folders/service/start", { body: {} }));
    else await ask(api.POST("/watch-folders/service/stop", { body: {} }));
    await loadWatching();
  };
  return (
    <section class="service" aria-labelledby="watch-service">
      <h2 id="watch-service">{says.service}</h2>
      <p role="status">
        <span class={`state ${status.state}`}>{says.states[status.state]}</span>{" "}
        {status.paused_until != null && says.pausedUntil(status.paused_until)}
        {status.current_file && says.current(fileName(status.current_file))}
      </p>
      <p class="hint">{says.session(status.files_processed_this_session)}</p>
      {status.last_error && (
        <p class="reason">
          {says.lastError} {status.last_error}
        </p>
      )}
      <div class="acts">
        <button type="button" disabled={isBusy} onClick={() => void run(toggle)}>
          {isStopped ? says.start : says.stop}
        </button>
        <a class="button primary" href={hrefOf("work/watch/add")}>
          {says.add}
        </a>
      </div>
      {error.value != null && <Failure error={error.value} />}
    </section>
  );
}

interface FoldersProps {
  folders: WatchFolder[];
  status: Schemas["WatchStatus"];
}

function Folders({ folders, status }: FoldersProps) {
  const removing = useSignal<WatchFolder | null>(null);
  return (
    <section aria-labelledby="watch-list">
      <h2 id="watch-list" tabIndex={-1}>{says.folders}</h2>
      {folders.length === 0 && (
        <Notice title={says.none}>
          <p class="hint">{says.noneMore}</p>
        </Notice>
      )}
      <ul class="tasks" aria-label={says.list}>
        {folders.map((folder) => (
          <WatchedFolder
            key={folder.id}
            folder={folder}
            stats={status.folder_stats[folder.id]}
            onRemove={() => (removing.value = folder)}
          />
        ))}
      </ul>
      {removing.value && (
        <RemoveDialog
          folder={removing.value}
          isGone={!folders.some(({ id }) => id === removing.value?.id)}
          onClose={() => (removing.value = null)}
        />
      )}
    </section>
  );
}
