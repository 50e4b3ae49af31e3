/** A folder to watch is added or changed. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { may } from "../../api/session";
import { useDoing } from "../../parts/doing";
import { Failure } from "../../parts/notice";
import { change, route } from "../../route";
import { words } from "../../words";
import { work } from "../../words/work";
import { usualLibrary } from "../analyze/libraries";
import { LibraryField } from "../analyze/library_field";
import { lacking, PartsFields } from "../analyze/parts";
import { Browser } from "../browser/browser";
import { isAbsolute } from "../browser/paths";
import { type Fields, fieldsOf, send } from "./fields";
import { loadWatching, type WatchFolder } from "./watching";
import { When } from "./when";

const says = work.form;

interface WatchFormProps {
  folder?: WatchFolder; // left out: a new one
  isGone?: boolean; // somebody has removed it
  onEnd: () => void;
}

export function WatchForm({ folder, isGone = false, onEnd }: WatchFormProps) {
  const fields = useSignal(fieldsOf(folder));
  const { isBusy, error, run } = useDoing();
  const lack = useSignal("");
  const at = folder?.path ?? route.value.params.get("at") ?? "";
  const now = fields.value;
  const library = now.library ?? (at ? usualLibrary([at]) : "");
  const set = (changes: Partial<Fields>) => (fields.value = { ...fields.peek(), ...changes });
  const save = async () => {
    await send(folder, isGone, at, library, fields.peek());
    await loadWatching();
    onEnd();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    lack.value = (!at && says.noFolder) || (!isAbsolute(library) && work.analyze.noLibrary) || lacking(now);
    if (!lack.value) void run(save);
  };
  const title = folder ? says.change(folder.path) : says.add;
  return (
    <div class="analyze">
      {!folder && <Chooser at={at} library={library} />}
      <form class="how" onSubmit={submit} aria-label={title}>
        <h2>{title}</h2>
        {isGone && (
          <p class="error" role="alert">
            {work.watch.gone} {says.anew}
          </p>
        )}
        {!folder && <FolderField at={at} />}
        <LibraryField value={library} onInput={(value) => set({ library: value })} />
        <PartsFields parts={now} library={library} onChange={set} />
        <When fields={now} onChange={set} />
        <p class="error" role="alert">
          {lack}
        </p>
        {error.value != null && <Failure error={error.value} />}
        <div class="acts">
          <button type="submit" class="primary" disabled={isBusy}>
            {isBusy.value ? says.saving : folder && !isGone ? says.save : says.submit}
          </button>
          <button type="button" onClick={onEnd}>
            {words.cancel}
          </button>
        </div>
      </form>
    </div>
  );
}

/** The folder that is looked into is the one that is chosen. */
function Chooser({ at, library }: { at: string; library: string }) {
  if (!may("analyze")) return null; // its path can be typed
  const go = (path: string) => change({ at: path }, true);
  return <Browser at={at} onGo={go} library={isAbsolute(library) ? library : ""} />;
}

function FolderField({ at }: { at: string }) {
  const typed = useSignal(at);
  useEffect(() => void (typed.value = at), [at]);
  return (
    <label>
      {says.folder}
      <input
        type="text"
        spellcheck={false}
        autocomplete="off"
        placeholder={work.browser.pathExample}
        value={typed}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onChange={(event) => change({ at: event.currentTarget.value.trim() }, true)}
      />
    </label>
  );
}
