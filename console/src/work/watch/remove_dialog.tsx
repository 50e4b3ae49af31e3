/** Asks before a folder is watched no more, and says what stays. */
import { api, ask } from "../../api/client";
import { Dialog } from "../../parts/dialog";
import { useDoing } from "../../parts/doing";
import { Failure } from "../../parts/notice";
import { words } from "../../words";
import { work } from "../../words/work";
import { useFocusAfter } from "../focus";
import { loadWatching, type WatchFolder } from "./watching";

const says = work.watch;

interface RemoveDialogProps {
  folder: WatchFolder;
  isGone: boolean;
  onClose: () => void;
}

export function RemoveDialog({ folder, isGone, onClose }: RemoveDialogProps) {
  const { isBusy, error, run } = useDoing();
  const goes = useFocusAfter("watch-list");
  if (isGone) goes();
  const remove = async () => {
    const params = { path: { watch_folder_id: folder.id } };
    await ask(api.DELETE("/watch-folders/{watch_folder_id}", { params }));
    goes();
    onClose();
    await loadWatching();
  };
  return (
    <Dialog title={says.removeTitle} onClose={onClose}>
      {isGone ? (
        <p role="alert">{says.gone}</p>
      ) : (
        <p>{says.removeMore(folder.path, folder.cache_dir)}</p>
      )}
      {error.value != null && !isGone && <Failure error={error.value} />}
      <div class="acts">
        {!isGone && (
          <button type="button" class="primary" disabled={isBusy} onClick={() => void run(remove)}>
            {says.removeYes}
          </button>
        )}
        <button type="button" onClick={onClose}>
          {isGone ? words.close : says.keep}
        </button>
      </div>
    </Dialog>
  );
}
