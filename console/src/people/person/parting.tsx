/** What is done with selected faces or voices of a person, by keys and by buttons: they belong to somebody else. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { may } from "../../api/session";
import type { Key } from "../../keys";
import { says } from "../../words/people";
import { PickPerson } from "../dialogs/pick_person";
import { dropTarget } from "../grid/dragging";
import { NOBODY } from "../state/cast";
import { isChanging, isOwn, known, message, move, undo } from "../state/changes";
import type { Selection } from "../state/selection";
import { movedSince } from "./moved";

interface Selected {
  kind: "faces" | "voices";
  collection: string;
  id: string; // of the person
  selection: Selection;
  edition: string; // changes whenever they may be others
  onMoved: () => void;
}

const SAYS = {
  faces: { none: says.did.noFaces, split: says.keys.split, moveTo: says.keys.moveTo },
  voices: { none: says.did.noVoices, split: says.keys.splitVoices, moveTo: says.keys.moveVoices },
};

/** Keys of what can be done, and the same as buttons below the list. */
export function useParting({ kind, collection, id, selection, edition, onMoved }: Selected): { keys: Key[]; acts: ComponentChildren } {
  const isPicking = useSignal(false);
  const knownEdit = useWithoutMoved(selection, collection, edition);
  const say = SAYS[kind];
  const isNobody = id === NOBODY;

  async function moveTo(target: string | null, called = ""): Promise<void> {
    const { ids } = selection;
    const parts = kind === "faces" ? { face_ids: ids } : { voice_ids: ids };
    if (ids.length === 0) {
      message.value = { text: say.none };
    } else if (await move(parts, target, called, knownEdit)) {
      selection.clear();
      isPicking.value = false;
      requestAnimationFrame(onMoved);
    }
  }

  const pick = () => {
    if (selection.ids.length > 0) isPicking.value = true;
    else message.value = { text: say.none };
  };
  const notThis = () => void moveTo(NOBODY);
  const keys: Key[] = [
    { keys: ["s"], what: say.split, run: () => void moveTo(null) },
    { keys: ["m"], what: say.moveTo, run: pick },
    ...(isNobody ? [] : [{ keys: ["Delete"], what: says.keys.notThis, run: notThis }]),
    { keys: ["u", "Control+z"], what: says.keys.undo, run: () => void undo() },
  ];
  const count = selection.chosen.value.size;
  const acts = may("people") && (
    <>
      <Acts selection={selection} isNobody={isNobody} onMove={moveTo} onPick={pick} />
      {isPicking.value && (
        <PickPerson
          title={kind === "faces" ? says.pick.moveTitle(count, 0) : says.pick.moveTitle(0, count)}
          without={[id]}
          onPick={(target) => void moveTo(target)}
          onNew={(typed) => void moveTo(null, typed)}
          onClose={() => (isPicking.value = false)}
        />
      )}
    </>
  );
  return { keys: may("people") ? keys : [], acts };
}

/** What others moved is no longer selected. Tells the edit up to which that is so: what is moved is decided by it. */
function useWithoutMoved(selection: Selection, collection: string, edition: string): () => string {
  const upTo = useRef(known());
  async function prune(): Promise<void> {
    const newest = known();
    if (newest === upTo.current) return;
    if (selection.ids.length > 0 && !isOwn(newest)) {
      const before = selection.ids.length;
      const moved = await movedSince(collection, upTo.current);
      selection.keepOnly((id) => moved !== null && !moved.has(id));
      const gone = before - selection.ids.length;
      if (moved === null) message.value = { text: says.did.othersMeanwhile };
      else if (gone > 0) message.value = { text: says.did.movedMeanwhile(gone) };
    }
    if (known() === newest) upTo.current = newest; // else another look is under way
  }
  useEffect(() => void prune(), [edition]);
  return () => (isOwn(known()) ? known() : upTo.current);
}

interface ActsProps {
  selection: Selection;
  isNobody: boolean;
  onMove: (target: string | null) => Promise<void>;
  onPick: () => void;
}

function Acts({ selection, isNobody, onMove, onPick }: ActsProps) {
  const count = selection.chosen.value.size;
  const { actions } = says;
  const notThis = () => void onMove(NOBODY);
  if (count === 0) return null;
  return (
    <div class="selection-bar" role="group" aria-label={actions.selected(count)}>
      <span>{actions.selected(count)}</span>
      <button type="button" disabled={isChanging} {...dropTarget("", () => void onMove(null))} onClick={() => void onMove(null)}>
        {actions.split}
      </button>
      <button type="button" {...dropTarget("", onPick)} onClick={onPick}>
        {actions.moveTo}
      </button>
      {!isNobody && (
        <button type="button" disabled={isChanging} {...dropTarget("", notThis)} onClick={notThis}>
          {actions.notThis}
        </button>
      )}
      <button type="button" class="quiet" onClick={() => selection.clear()}>
        {actions.clear}
      </button>
    </div>
  );
}
