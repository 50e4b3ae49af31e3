/** Which cache folder is searched: one that the server knows, or one that is typed. */
import { useSignal } from "@preact/signals";
import { folders, library } from "./asking/folders";
import { choose } from "./asking/query";
import { words } from "../words";

const OTHER = "\n"; // no folder is called so
const says = words.search.library;

export function Library() {
  const isTyping = useSignal(false);
  const known = folders.value ?? [];
  const isKnown = known.some(({ cache_dir }) => cache_dir === library.value);
  if (isTyping.value) return <OtherFolder onEnd={() => (isTyping.value = false)} />;
  return (
    <label class="library">
      <span>{says.label}</span>
      <select
        value={library.value}
        onChange={(event) => {
          const { value } = event.currentTarget;
          if (value === OTHER) isTyping.value = true;
          else choose({ dir: value });
        }}
      >
        {!isKnown && <option value={library.value}>{library.value}</option>}
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

/** A folder that the server did not name. */
export function OtherFolder({ onEnd }: { onEnd?: () => void }) {
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
        choose({ dir: typed });
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
