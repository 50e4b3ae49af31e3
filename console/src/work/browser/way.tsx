/** The way to a folder, and a field to go elsewhere. */
import { useSignal } from "@preact/signals";
import { session } from "../../api/session";
import { isAllowed } from "./paths";
import { work } from "../../words/work";

const says = work.browser;

interface WayProps {
  at: string;
  onGo: (path: string) => void;
}

/** The folders above, each to go to; those above a root are only named. */
export function Way({ at, onGo }: WayProps) {
  const parts = wayTo(at);
  const roots = session.value?.media_roots ?? session.value?.roots;
  return (
    <nav class="way" aria-label={says.way}>
      <ol>
        <li>
          {at ? (
            <button type="button" class="quiet" onClick={() => onGo("")}>
              {says.roots}
            </button>
          ) : (
            <span aria-current="location">{says.roots}</span>
          )}
        </li>
        {parts.map(({ path, name }, index) => (
          <li key={path}>
            {index === parts.length - 1 ? (
              <span aria-current="location">{name}</span>
            ) : isAllowed(path, roots) ? (
              <button type="button" class="quiet" onClick={() => onGo(path)}>
                {name}
              </button>
            ) : (
              <span class="hint">{name}</span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** A path of any system, folder by folder. */
function wayTo(path: string): { path: string; name: string }[] {
  const found: { path: string; name: string }[] = [];
  for (const match of path.matchAll(/[^/\\]+/g)) {
    found.push({ path: path.slice(0, match.index + match[0].length), name: match[0] });
  }
  return found;
}

export function GoTo({ onGo }: { onGo: (path: string) => void }) {
  const typed = useSignal("");
  return (
    <form
      class="go-to"
      onSubmit={(event) => {
        event.preventDefault();
        if (typed.value.trim()) onGo(typed.value.trim());
      }}
    >
      <label>
        {says.path}
        <input
          type="text"
          spellcheck={false}
          autocomplete="off"
          placeholder={says.pathExample}
          value={typed}
          onInput={(event) => (typed.value = event.currentTarget.value)}
        />
      </label>
      <button type="submit">{says.go}</button>
    </form>
  );
}
