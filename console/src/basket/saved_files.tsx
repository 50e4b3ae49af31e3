/** Files that were made: where they are, and what to know of them. */
import { save } from "../parts/saving";
import { words } from "../words";

export interface SavedFile {
  name: string;
  path?: string; // on the server
  content?: Blob; // for the browser to save
  warnings: string[];
}

export function SavedFiles({ files }: { files: SavedFile[] }) {
  return (
    <ul class="results" role="status">
      {files.map(({ name, path, content, warnings }, index) => (
        <li key={index}>
          {path && words.basket.writtenTo(path)}
          {content && (
            <button type="button" onClick={() => save(content, name)}>
              {words.basket.saveAgain(name)}
            </button>
          )}
          {!path && !content && <strong>{name}</strong>}
          {warnings.map((one) => (
            <span key={one} class="hint">
              {one}
            </span>
          ))}
        </li>
      ))}
    </ul>
  );
}
