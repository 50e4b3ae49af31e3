/** All faces of a person; those of somebody else are moved away, by hand or by keys. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Refusal, sentence } from "../../api/client";
import { may } from "../../api/session";
import type { Key } from "../../keys";
import { isAbort } from "../../search/asking/patience";
import { Failure } from "../../parts/notice";
import { change, route } from "../../route";
import { says } from "../../words/people";
import { startDrag } from "../grid/dragging";
import { Grid, type GridHandle, type Place } from "../grid/grid";
import { KeyHints } from "../key_hints";
import { dir, NOBODY } from "../state/cast";
import { message } from "../state/changes";
import { Selection } from "../state/selection";
import { FacePages } from "./face_pages";
import { FaceTile } from "./face_tile";
import { useParting } from "./parting";

const ABOUT_REM = 1.7; // below a picture
const LONGEST_RANGE = 2400; // faces: each comes with its picture

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
  const place = useSignal(0);
  const grid = useRef<GridHandle>(null);
  useEffect(() => () => pages.close(), []);
  const parting = useParting({
    kind: "faces",
    collection,
    id,
    selection,
    edition,
    onMoved: () => grid.current?.focus(place.peek()),
  });
  const face = pages.at(place.value);

  function select(at: number, isRange: boolean): void {
    const one = pages.at(at)?.face_id;
    if (one === undefined) return;
    if (isRange && selection.from) void selectUpTo(pages, selection, at, one);
    else selection.toggle(one);
  }

  const changing: Key[] = [
    { keys: ["x", " "], what: says.keys.selectFace, run: () => select(place.peek(), false) },
    ...parting.keys,
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
      {parting.acts}
    </>
  );
}

/** All from the one that was chosen last, whether they are in sight or not. */
async function selectUpTo(pages: FacePages, selection: Selection, at: number, id: string): Promise<void> {
  const from = pages.placeOf(selection.from);
  const [first, last] = [Math.min(from, at), Math.max(from, at)];
  if (from < 0 || last - first >= LONGEST_RANGE) {
    message.value = { text: says.did.rangeTooLong(LONGEST_RANGE), isError: true };
    return;
  }
  const waiting = { text: says.did.rangeLoading };
  message.value = waiting;
  try {
    const ids = await pages.ids(first, last);
    if (ids) selection.extend(id, ids);
    else message.value = { text: says.did.rangeChanged, isError: true };
  } catch (error) {
    if (isAbort(error)) return;
    if (!(error instanceof Refusal)) throw error;
    message.value = { text: sentence(error), isError: true };
  } finally {
    if (message.peek() === waiting) message.value = null;
  }
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
