/** Where an export goes. */
import { useId } from "preact/hooks";
import { session } from "../api/session";
import { Choice } from "../parts/choice";
import { kept } from "../parts/kept";
import { words } from "../words";

export type Place = "download" | "disk";

/** The folder on the server, the same for all exports; empty: none was named yet. */
export const output = kept("rushes-export-output", {
  folder: "",
  makesFolder: false,
  place: "download" as Place,
});

/** The folder that was named, else the first one of those that are allowed. */
export function usualFolder(): string {
  return output.value.folder.trim() || (roots()[0] ?? "");
}

function roots(): string[] {
  return session.value?.export_roots ?? [];
}

function set(changes: Partial<typeof output.value>): void {
  output.value = { ...output.value, ...changes };
}

export function OutputPlace() {
  const { place } = output.value;
  return (
    <>
      <Choice
        label={words.basket.to}
        options={words.basket.places}
        value={place}
        onChange={(next) => set({ place: next })}
      />
      {place === "disk" && <OutputFolder />}
    </>
  );
}

export function OutputFolder() {
  const id = useId();
  const [usual] = roots();
  return (
    <>
      <label>
        {words.basket.folder}
        <input
          type="text"
          required={!usual}
          spellcheck={false}
          list={id}
          placeholder={usual ?? words.basket.folderExample}
          value={output.value.folder}
          onInput={(event) => set({ folder: event.currentTarget.value })}
        />
        <datalist id={id}>
          {roots().map((root) => (
            <option key={root} value={root} />
          ))}
        </datalist>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={output.value.makesFolder}
          onChange={(event) => set({ makesFolder: event.currentTarget.checked })}
        />
        {words.basket.makeFolder}
      </label>
    </>
  );
}
