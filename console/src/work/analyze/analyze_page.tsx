/** Choose folders and files, see what their analysis will cost, and begin it. */
import { may } from "../../api/session";
import { connections } from "../../api/live";
import { Notice } from "../../parts/notice";
import { fileName } from "../../parts/times";
import { change, route } from "../../route";
import { words } from "../../words";
import { work } from "../../words/work";
import { Browser } from "../browser/browser";
import { isAbsolute } from "../browser/paths";
import { choose, chosen, library, parts, typedLibrary } from "./choice";
import { Cost } from "./cost";
import { LibraryField } from "./library_field";
import { PartsFields } from "./parts";

const says = work.analyze;

export function AnalyzePage() {
  if (!may("analyze")) return <Notice title={words.session.lacks("analyze")} />;
  const at = route.value.params.get("at") ?? "";
  const go = (path: string) => change({ at: path });
  return (
    <div class="analyze">
      <section aria-labelledby="analyze-what">
        <h2 id="analyze-what">{says.where}</h2>
        <p class="hint">{says.hint}</p>
        <Chosen />
        <Browser
          at={at}
          onGo={go}
          library={isAbsolute(library.value) ? library.value : ""}
          turn={String(connections.value)}
          chosen={new Set(chosen.value.keys())}
          onChoose={choose}
        />
      </section>
      <section class="how" aria-labelledby="analyze-how">
        <h2 id="analyze-how">{says.how}</h2>
        <LibraryField value={library.value} onInput={(value) => (typedLibrary.value = value)} />
        <PartsFields
          parts={parts.value}
          library={library.value}
          onChange={(changes) => (parts.value = { ...parts.value, ...changes })}
        />
        <Cost />
      </section>
    </div>
  );
}

function Chosen() {
  if (chosen.value.size === 0) return null;
  return (
    <div class="chosen">
      <p>{says.chosen(chosen.value.size)}</p>
      <ul aria-label={says.chosen(chosen.value.size)}>
        {[...chosen.value].map(([path, isFolder]) => (
          <li key={path} class="chip" title={path}>
            <span class="text">{fileName(path)}</span>
            <button
              type="button"
              aria-label={says.remove(fileName(path))}
              onClick={() => choose(path, isFolder, false)}
            >
              ×
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
