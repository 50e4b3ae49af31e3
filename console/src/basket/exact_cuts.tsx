/** Whether cuts at a scene's second are taken to the picture; only one cache folder can tell. */
import { kept } from "../parts/kept";
import { words } from "../words";
import type { Range } from "./basket";
import { oneFolder } from "./folders";

export const exactCuts = kept("rushes-export-exact", { on: true });

export function ExactCuts({ ranges }: { ranges: Range[] }) {
  const isPossible = oneFolder(ranges) !== undefined;
  return (
    <>
      <label class="check">
        <input
          type="checkbox"
          disabled={!isPossible}
          checked={isPossible && exactCuts.value.on}
          onChange={(event) => (exactCuts.value = { on: event.currentTarget.checked })}
        />
        {words.basket.exactCuts}
      </label>
      {!isPossible && <p class="hint">{words.basket.severalFolders}</p>}
    </>
  );
}
