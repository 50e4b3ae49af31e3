/** What can be done with those that are selected, by buttons. */
import { says } from "../words/people";
import { byId } from "./state/cast";
import { isChanging } from "./state/changes";
import type { Selection } from "./state/selection";

interface SelectionBarProps {
  selection: Selection;
  onName: () => void;
  onMerge: (target: string, ids: string[]) => void;
  onPick: () => void;
  onDismiss: () => void;
}

export function SelectionBar({ selection, onName, onMerge, onPick, onDismiss }: SelectionBarProps) {
  const ids = [...selection.chosen.value];
  const { actions } = says;
  if (ids.length === 0) return null;
  const target = whoStays(ids);
  return (
    <div class="selection-bar" role="group" aria-label={actions.selected(ids.length)}>
      <span>{actions.selected(ids.length)}</span>
      <button type="button" onClick={onName}>
        {actions.name}
      </button>
      {ids.length > 1 && (
        <button type="button" disabled={isChanging} onClick={() => onMerge(target, ids)}>
          {actions.mergeInto(byId.value.get(target)?.name || says.theLongest)}
        </button>
      )}
      <button type="button" onClick={onPick}>
        {actions.mergeWith}
      </button>
      <button type="button" disabled={isChanging} onClick={onDismiss}>
        {actions.dismiss}
      </button>
      <button type="button" class="quiet" onClick={() => selection.clear()}>
        {actions.clear}
      </button>
    </div>
  );
}

/** Who has a name, else who is seen longest. */
function whoStays(ids: string[]): string {
  const weight = (id: string) => {
    const one = byId.value.get(id);
    return one ? Number(one.name !== "") * 1e12 + one.seconds * 1e4 + one.faces : -1;
  };
  return ids.reduce((most, id) => (weight(id) > weight(most) ? id : most), ids[0] ?? "");
}
