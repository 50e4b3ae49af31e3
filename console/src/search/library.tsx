/** Which cache folder is searched: one that the server knows, or one that is typed. */
import { useSignal } from "@preact/signals";
import { folders, library } from "./asking/folders";
import { choose } from "./asking/query";
import { words } from "../words";

const OTHER = "\n"; // no folder is called so
const says = words.search.library;

interface LibraryProps {
  dir?: string; // the one that is looked at; left out: that which is searched
  onChoose?: (dir: string) => void;
}

const searchIn = (dir: string) => choose({ dir });

export function Library({ dir = library.value, onChoose = searchIn }: LibraryProps) {
  const isTyping = useSignal(false);
  const known = folders.value ?? [];
  const isKnown = known.some(({ cache_dir }) => cache_dir === dir);
  if (isTyping.value) {
    return <OtherFolder onChoose={onChoose} onEnd={() => (isTyping.value = false)} />;
  }
  return (
    <label class="library">
      <span>{says.label}</span>
      <select
        value={dir}
        onChange={(event) => {
          const { value } = event.currentTarget;
          if (value === OTHER) isTyping.value = true;
          else onChoose(value);
        }}
      >
        {!isKnown && <option value={dir}>{dir}</option>}
        {known.map(({ cache_dir, files, online }) => (
          <option key={cache_dir} value={cache_dir}>
            {says.option(cache_dir, files ?? null, !online)}
          </option>
        ))}
        <option value={OTHER}>{says.other}</option>
      </select>
    </label>
  );
}

interface OtherFolderProps {
  onChoose?: (dir: string) => void;
  onEnd?: () => void;
}

/** A folder that the server did not name. */
export function OtherFolder({ onChoose = searchIn, onEnd }: OtherFolderProps) {
  const path = useSignal("");
  const error = useSignal("");
  return (
    <form
      class="library"
      onSubmit={(event) => {
        event.preventDefault();
        const typed = path.value.trim();
        if (!/^(\/|[A-Za-z]:[\\/]|\\\\)/.test(typed)) {
          error.value = says.absolute;
          return;
        }
        onChoose(typed);
        onEnd?.();
      }}
    >
      <label>
        <span>{says.path}</span>
        <input
          type="text"
          spellcheck={false}
          autocomplete="off"
          value={path}
          aria-describedby="library-error"
          onInput={(event) => (path.value = event.currentTarget.value)}
        />
      </label>
      <button type="submit">{says.open}</button>
      {onEnd && (
        <button type="button" class="quiet" onClick={onEnd}>
          {says.back}
        </button>
      )}
      <p id="library-error" class="error" role="alert">
        {error}
      </p>
    </form>
  );
}
