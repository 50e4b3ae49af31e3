/** Looks into the server's media folders, and lets folders and files be chosen. */
import { useEffect, useRef } from "preact/hooks";
import { useKeys } from "../../keys";
import { useDoing } from "../../parts/doing";
import { Failure } from "../../parts/notice";
import { words } from "../../words";
import { work } from "../../words/work";
import { type Choice, Entries } from "./entries";
import { useFolder } from "./folder";
import { GoTo, Way } from "./way";

const says = work.browser;

interface BrowserProps extends Choice {
  at: string; // "": where all begins
  onGo: (path: string) => void;
  library: string; // "": what is analyzed is not told
  turn?: string; // it is looked anew when this changes
}

export function Browser({ at, onGo, library, turn = "", chosen, onChoose }: BrowserProps) {
  const list = useRef<HTMLDivElement>(null);
  const { content, error, again, more } = useFolder(at, library, turn);
  const { isBusy, error: moreError, run } = useDoing();
  // Whoever went here by the keyboard goes on from the first row.
  const goes = useRef(false);
  const go = (path: string) => {
    goes.current = list.current?.contains(document.activeElement) ?? false;
    onGo(path);
  };
  useEffect(() => {
    if (content && goes.current) rowsOf(list.current)[0]?.focus();
    if (content) goes.current = false;
  }, [content?.path]);
  useKeys(says.label, [
    { keys: ["ArrowUp", "ArrowDown"], what: says.moves, run: ({ key }) => move(list.current, key) },
    { keys: ["Backspace"], what: says.up, run: () => content?.path && go(content.parent ?? "") },
  ]);
  return (
    <section class="browser" aria-label={says.label}>
      <Way at={content?.path ?? at} onGo={go} />
      <GoTo onGo={onGo} />
      {error != null && <Failure error={error} again={again} />}
      {!content && error == null && <p class="wait">{words.loading}</p>}
      <div ref={list}>
        {content && <Entries content={content} onGo={go} chosen={chosen} onChoose={onChoose} />}
      </div>
      {content?.warnings.map((warning) => (
        <p key={warning} class="reason">
          {warning}
        </p>
      ))}
      {content?.next && (
        <button type="button" disabled={isBusy} onClick={() => void run(more)}>
          {says.more}
        </button>
      )}
      {moreError.value != null && <Failure error={moreError.value} />}
      {content && content.unsupported > 0 && <p class="hint">{says.unsupported(content.unsupported)}</p>}
    </section>
  );
}

function rowsOf(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
}

/** To the row before or after the one that has the focus, and to the same thing in it. */
function move(list: HTMLElement | null, key: string): void {
  const rows = rowsOf(list);
  const row = document.activeElement?.closest("li")?.querySelector("[data-row]");
  const at = rows.findIndex((one) => one === row);
  const step = key === "ArrowDown" ? 1 : -1;
  const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step));
  rows[next]?.focus();
}
