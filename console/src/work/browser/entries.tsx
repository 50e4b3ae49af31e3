/** Folders and files, each with what of it is analyzed. */
import type { Schemas } from "../../api/client";
import { work } from "../../words/work";
import type { Content } from "./folder";

const says = work.browser;

/** What is chosen of the entries. Without it folders can only be opened. */
export interface Choice {
  chosen?: ReadonlySet<string>;
  onChoose?: (path: string, isFolder: boolean, isChosen: boolean) => void;
}

interface EntriesProps extends Choice {
  content: Content;
  onGo: (path: string) => void;
}

export function Entries({ content, onGo, chosen, onChoose }: EntriesProps) {
  const { folders, files } = content;
  if (folders.length + files.length === 0) return <p class="hint empty">{says.empty}</p>;
  return (
    <ul class="entries" aria-label={says.label}>
      {folders.map((folder) => (
        <li key={folder.path}>
          {onChoose && <Check {...folder} chosen={chosen} onChoose={onChoose} />}
          <button type="button" class="folder" title={folder.path} data-row onClick={() => onGo(folder.path)}>
            {folder.name}
          </button>
          <span class="hint">{content.path === null ? folder.path : ""}</span>
          <span class="hint">{aboutFolder(folder)}</span>
        </li>
      ))}
      {files.map((file) => (
        <li key={file.path}>
          {onChoose && <Check {...file} chosen={chosen} onChoose={onChoose} isRow />}
          <span class="name">{file.name}</span>
          <span class="hint">{work.bytes(file.size)}</span>
          <States states={file.states} />
          {file.reason && <span class="hint why">{file.reason}</span>}
        </li>
      ))}
    </ul>
  );
}

function aboutFolder({ analyzed, online }: Schemas["ListedFolder"]): string {
  if (!online) return says.offline;
  return analyzed == null ? "" : says.analyzed(analyzed);
}

interface CheckProps extends Choice {
  path: string;
  name: string;
  isRow?: boolean;
}

function Check({ path, name, chosen, onChoose, isRow }: CheckProps) {
  return (
    <input
      type="checkbox"
      data-row={isRow}
      aria-label={says.chooseOf(name)}
      checked={chosen?.has(path) ?? false}
      onChange={(event) => onChoose?.(path, !isRow, event.currentTarget.checked)}
    />
  );
}

function States({ states }: { states: Schemas["PartStates"] }) {
  return (
    <span class="states">
      {(["visual", "speech", "faces"] as const).map((part) => {
        const state = states[part];
        return (
          state && (
            <span key={part} class={`state ${state}`}>
              <span aria-hidden="true">{says.marks[state]}</span> {says.kinds[part]}{" "}
              <span class={state === "analyzed" ? "hidden" : undefined}>{says.states[state]}</span>
            </span>
          )
        );
      })}
    </span>
  );
}
