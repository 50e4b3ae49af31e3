/** All faces of a person; those of somebody else are moved away, by hand or by keys. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { may } from "../../api/session";
import type { Key } from "../../keys";
import { Failure } from "../../parts/notice";
import { change, route } from "../../route";
import { says } from "../../words/people";
import { PickPerson } from "../dialogs/pick_person";
import { dropTarget, startDrag } from "../grid/dragging";
import { Grid, type GridHandle, type Place } from "../grid/grid";
import { KeyHints } from "../key_hints";
import { dir, NOBODY } from "../state/cast";
import { isChanging, message, moveFaces, undo } from "../state/changes";
import { Selection } from "../state/selection";
import { FacePages } from "./face_pages";
import { FaceTile } from "./face_tile";

const ABOUT_REM = 1.7; // below a picture

interface FacesProps {
  collection: string;
  id: string;
  name: string;
  count: number;
  edition: string; // changes whenever the faces may be others
}

export function Faces({ collection, id, name, count, edition }: FacesProps) {
  const pages = useMemo(() => new FacePages(dir.peek(), collection, id), []);
  const selection = useMemo(() => new Selection(), []);
  const isPicking = useSignal(false);
  const place = useSignal(0);
  const grid = useRef<GridHandle>(null);
  useEffect(() => () => pages.close(), []);
  const face = pages.at(place.value);

  function select(at: number, isRange: boolean): void {
    const one = pages.at(at)?.face_id;
    if (one === undefined) return;
    if (isRange) selection.extend(one, pages.ids(count));
    else selection.toggle(one);
  }

  async function move(target: string | null, called = ""): Promise<void> {
    const { ids } = selection;
    if (ids.length === 0) {
      message.value = { text: says.did.noFaces };
    } else if (await moveFaces(ids, target, called)) {
      selection.clear();
      isPicking.value = false;
      requestAnimationFrame(() => grid.current?.focus(place.peek()));
    }
  }

  const pick = () => {
    if (selection.ids.length > 0) isPicking.value = true;
    else message.value = { text: says.did.noFaces };
  };
  const notThis = () => void move(NOBODY);
  const changing: Key[] = [
    { keys: ["x", " "], what: says.keys.selectFace, run: () => select(place.peek(), false) },
    { keys: ["s"], what: says.keys.split, run: () => void move(null) },
    { keys: ["m"], what: says.keys.moveTo, run: pick },
    ...(id === NOBODY ? [] : [{ keys: ["Delete"], what: says.keys.notThis, run: notThis }]),
    { keys: ["u", "Control+z"], what: says.keys.undo, run: () => void undo() },
  ];
  const keys: Key[] = [
    ...(may("people") ? changing : []),
    { keys: ["o"], what: says.keys.openFace, run: () => play(face?.media_path, face?.frame_idx) },
  ];

  const tile = (at: Place) => {
    const shown = pages.at(at.place);
    return (
      <FaceTile
        key={shown?.face_id ?? at.place}
        face={shown}
        at={at}
        count={count}
        isSelected={shown !== undefined && selection.has(shown.face_id)}
        onActive={() => (place.value = at.place)}
        onSelect={(isRange) => select(at.place, isRange)}
        onDrag={(event) => {
          if (shown && !selection.has(shown.face_id)) selection.toggle(shown.face_id);
          startDrag(event, selection.ids);
        }}
      />
    );
  };

  return (
    <>
      {may("people") && <KeyHints keys={id === NOBODY ? hints.filter(([key]) => key !== "Delete") : hints} drag={says.keys.dragFace} />}
      {pages.error.value != null && <Failure error={pages.error.value} />}
      <Grid
        label={says.person.facesOf(name)}
        title={says.keys.faces}
        keys={keys}
        count={count}
        active={Math.min(place.value, Math.max(0, count - 1))}
        about={ABOUT_REM}
        handle={grid}
        onActive={(at) => (place.value = at)}
        onSight={(first, end) => pages.want(first, end, edition)}
        tile={tile}
      />
      {may("people") && <Acts selection={selection} isNobody={id === NOBODY} onMove={move} onPick={pick} />}
      {isPicking.value && (
        <PickPerson
          title={says.pick.moveTitle(selection.ids.length)}
          without={[id]}
          onPick={(target) => void move(target)}
          onNew={(typed) => void move(null, typed)}
          onClose={() => (isPicking.value = false)}
        />
      )}
    </>
  );
}

const { short } = says.keys;
const hints: [string, string][] = [
  ["x", short.select],
  ["s", short.split],
  ["m", short.moveTo],
  ["Delete", short.notThis],
  ["u", short.undo],
];

function play(path?: string | null, second?: string): void {
  if (path && second !== undefined && !route.peek().params.has("play")) change({ play: path, at: second });
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
