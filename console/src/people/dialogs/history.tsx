/** What was said about the people of a collection by hand, in words, and the way back to any of it. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../../api/client";
import { Dialog } from "../../parts/dialog";
import { useLoad } from "../../parts/load";
import { Failure } from "../../parts/notice";
import { words } from "../../words";
import { says } from "../../words/people";
import { byId, cast, dir, NOBODY } from "../state/cast";
import { goBack, isChanging } from "../state/changes";

type Edit = Schemas["EditItem"];
const SHOWN = 50;

export function History({ onClose }: { onClose: () => void }) {
  const limit = useSignal(SHOWN);
  const { collection = "", lastEdit = "" } = cast.value ?? {};
  // While it is asked anew, what was there stays.
  const shown = useSignal<Edit[] | null>(null);
  const edits = useLoad(`${collection}\n${lastEdit}\n${limit.value}`, (signal) => editsOf(collection, limit.value, signal));
  if (edits.data) shown.value = edits.data;
  const newestFirst = shown.value?.toReversed() ?? [];
  const isAll = newestFirst.length < limit.value;
  return (
    <Dialog title={says.history.title} onClose={onClose}>
      <p class="hint">{shown.value?.length === 0 ? says.history.none : says.history.hint}</p>
      {edits.error != null && <Failure error={edits.error} again={edits.again} />}
      {!shown.value && edits.error == null && <p class="wait">{words.loading}</p>}
      <ol class="history">
        {newestFirst.map((edit, n) => (
          <Entry key={edit.edit_id} edit={edit} isNow={n === 0} />
        ))}
        {newestFirst.length > 0 && isAll && <Begin />}
      </ol>
      {!isAll && newestFirst.length > 0 && (
        <button type="button" onClick={() => (limit.value *= 4)}>
          {says.history.all}
        </button>
      )}
    </Dialog>
  );
}

async function editsOf(collection: string, limit: number, signal: AbortSignal): Promise<Edit[]> {
  const query = { cache_dir: dir.peek(), cluster_job_name: collection, limit, brief: true };
  return (await ask(api.GET("/faces/edits", { params: { query }, signal }))).edits;
}

function Entry({ edit, isNow }: { edit: Edit; isNow: boolean }) {
  const what = sentenceOf(edit);
  const at = new Date(edit.at * 1000);
  return (
    <li class={edit.applies ? "" : "undone"}>
      <div>
        <p>{what}</p>
        <p class="hint">
          <time dateTime={at.toISOString()}>{says.history.when(at)}</time>
          {edit.reason && ` · ${says.history.reason(edit.reason)}`}
        </p>
      </div>
      {isNow ? <span class="hint">{says.history.now}</span> : <GoBack to={edit.edit_id} what={what} />}
    </li>
  );
}

function Begin() {
  return (
    <li>
      <p>{says.history.begin}</p>
      <GoBack to="" what={says.history.begin} />
    </li>
  );
}

function GoBack({ to, what }: { to: string; what: string }) {
  return (
    <button type="button" disabled={isChanging} aria-label={says.history.goBackOf(what)} onClick={() => void goBack(to)}>
      {says.history.goBack}
    </button>
  );
}

function sentenceOf(edit: Edit): string {
  const { history } = says;
  if (edit.kind === "undo") return edit.undone_to ? history.undo : history.undoToBegin;
  if (edit.kind === "clear_names") return history.clear_names;
  const parts = [
    ...edit.assignments.map(({ cluster_id, name }) =>
      name ? history.named(who(cluster_id, name), name) : history.unnamed(who(cluster_id)),
    ),
    ...edit.merges.map(({ cluster_ids, target_cluster_id }) => history.merged(cluster_ids.length, who(target_cluster_id))),
    ...edit.moves.map((move) => movedOf(move)),
    ...(edit.apart ?? []).map(({ cluster_ids: [one = "", other = ""] }) => history.apart(who(one), who(other))),
  ];
  const text = parts.join("; ") || history.other;
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}

function movedOf(move: Edit["moves"][number]): string {
  const { is_new, target_cluster_id } = move;
  const faces = move.face_count ?? move.face_ids.length;
  const voices = move.voice_count ?? move.voice_ids?.length ?? 0;
  if (is_new) return says.history.toNew(faces, voices);
  if (target_cluster_id === NOBODY) return says.history.toNobody(faces, voices);
  return says.history.moved(faces, voices, who(target_cluster_id));
}

/** What they are called now; `but`: not by this name, which the sentence says itself. */
function who(id: string, but = ""): string {
  const name = byId.value.get(id)?.name ?? "";
  return name && name !== but ? name : says.history.somebody;
}
