/** The library that receives results: one that the server knows, or a path that is typed. */
import { useEffect, useId } from "preact/hooks";
import { work } from "../../words/work";
import { libraries, loadLibraries } from "./libraries";

const says = work.analyze;

export function LibraryField({ value, onInput }: { value: string; onInput: (value: string) => void }) {
  const list = useId();
  const hint = useId();
  useEffect(() => void loadLibraries(), []);
  const known = libraries.value.find(({ cache_dir }) => cache_dir === value);
  return (
    <label>
      {says.library}
      <input
        type="text"
        spellcheck={false}
        autocomplete="off"
        list={list}
        value={value}
        aria-describedby={hint}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <datalist id={list}>
        {libraries.value.map(({ cache_dir }) => (
          <option key={cache_dir} value={cache_dir} />
        ))}
      </datalist>
      <span id={hint} class="hint">
        {says.libraryHint} {value && (known ? says.isKnown(known.files) : says.isNew)}
      </span>
    </label>
  );
}
