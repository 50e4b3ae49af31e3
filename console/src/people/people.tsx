/** People as faces: named, merged and sorted out by hand or by keys. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { may } from "../api/session";
import type { Key } from "../keys";
import { Notice } from "../parts/notice";
import { change, go } from "../route";
import { says } from "../words/people";
import { FIND } from "./bar";
import { Grid, type GridHandle, type Place } from "./grid/grid";
import { people } from "./grid/order";
import { PersonTile } from "./grid/person_tile";
import { KeyHints } from "./key_hints";
import { beginName, draft, endName, isLost, leaveNames } from "./naming/draft";
import { type Asked, Question } from "./question";
import { SelectionBar } from "./selection_bar";
import { type Cast, dir } from "./state/cast";
import { dismiss, known, merge, message, namesOf, undo } from "./state/changes";
import { wantPictures } from "./state/face_pictures";
import { hrefToPerson, personParams } from "./state/places";
import { Selection } from "./state/selection";
import { useReturn } from "./state/return";

const ABOUT_REM = 3.9; // below a picture
const NEAR = 40; // places

export function People({ cast }: { cast: Cast }) {
  const shown = people.value;
  const back = useReturn(`${dir.value}\n${cast.collection}`);
  const selection = useMemo(() => new Selection(back.active), []);
  const asked = useSignal<Asked | null>(null);
  const grid = useRef<GridHandle>(null);
  const place = Math.max(0, shown.findIndex(({ id }) => id === selection.active.value));
  const focused = shown[place]?.id ?? "";
  back.active = focused;

  useEffect(() => {
    const there = new Set(cast.people.map(({ id }) => id));
    selection.keepOnly((id) => there.has(id));
  }, [cast]);
  useEffect(() => leaveNames, []);

  /** The focus goes to a person; where they are gone, or far away now, to who stands there instead. */
  function focus(id: string): void {
    const now = people.peek();
    const at = now.findIndex((one) => one.id === id);
    const next = at < 0 || Math.abs(at - place) > NEAR ? Math.min(place, now.length - 1) : at;
    selection.active.value = now[next]?.id ?? "";
    requestAnimationFrame(() => grid.current?.focus(next));
  }

  /** These are done with. Who went on meanwhile, or types, is left alone. */
  async function once(ids: string[], done: Promise<boolean>, stays = focused): Promise<void> {
    const before = selection.active.peek();
    if (!(await done)) return;
    selection.keepOnly((id) => !ids.includes(id));
    if (selection.active.peek() === before && !isTyping()) focus(stays);
  }

  function mergeInto(target: string, ids: string[]): void {
    const others = ids.filter((id) => id !== target);
    if (others.length === 0) message.value = { text: says.did.nothingSelected };
    else if (namesOf([target, ...others]).length < 2) void once([target, ...others], merge(others, target), target);
    else asked.value = { kind: "names", ids: others, target, knownEdit: known() };
  }

  function select(at: number, isRange: boolean): void {
    const id = shown[at]?.id;
    if (id === undefined) return;
    if (isRange) selection.extend(id, shown.map((one) => one.id));
    else selection.toggle(id);
  }

  /** Nobody is changed of whom it is not to be seen that they are meant. */
  function onFocused(act: () => void): void {
    if (grid.current?.hasFocus()) act();
    else message.value = { text: says.did.nobodyFocused };
  }

  function dropAll(ids: string[]): void {
    void once(ids, dismiss(ids));
  }

  const drop = () => (selection.ids.length > 0 ? dropAll(selection.ids) : onFocused(() => dropAll([focused])));
  const changing: Key[] = [
    { keys: ["Enter", "n"], what: says.keys.name, run: () => focused && beginName(focused) },
    { keys: ["x", " "], what: says.keys.select, run: () => select(place, false) },
    { keys: ["Shift+ "], what: says.keys.range, run: () => select(place, true) },
    { keys: ["m"], what: says.keys.merge, run: () => onFocused(() => mergeInto(focused, selection.ids)) },
    { keys: ["Delete"], what: says.keys.dismiss, run: drop },
    { keys: ["u", "Control+z"], what: says.keys.undo, run: () => void undo() },
    { keys: ["Escape"], what: says.keys.clear, run: () => selection.clear() },
  ];
  const open = () => go("people/person", personParams(dir.peek(), cast.collection, focused));
  const keys: Key[] = [
    ...(may("people") ? changing : []),
    { keys: ["o"], what: says.keys.open, run: () => focused && open() },
    { keys: ["f"], what: says.keys.find, run: () => document.getElementById(FIND)?.focus() },
  ];

  const tile = (at: Place) => {
    const person = shown[at.place];
    if (!person) return null;
    const { id } = person;
    return (
      <PersonTile
        key={id}
        person={person}
        at={at}
        count={shown.length}
        href={hrefToPerson(dir.value, cast.collection, id)}
        isSelected={selection.has(id)}
        naming={draft.value?.id === id ? draft.value.typed : undefined}
        ids={() => (selection.has(id) ? selection.ids : [id])}
        onActive={() => (selection.active.value = id)}
        onSelect={(isRange) => select(at.place, isRange)}
        onName={() => beginName(id)}
        onNamed={(isLeft) => {
          endName(id);
          if (!isLeft && !isTyping()) focus(id);
        }}
        onDrop={(ids) => mergeInto(id, ids)}
      />
    );
  };

  return (
    <>
      <p class="found" role="status">
        {says.count(shown.length, cast.people.length)}
      </p>
      {may("people") && <KeyHints keys={hints} drag={says.keys.drag} />}
      {shown.length === 0 && <NoneFound />}
      <Grid
        label={says.label}
        title={says.keys.grid}
        keys={isLost.value ? [] : keys}
        typing={shown.findIndex(({ id }) => id === draft.value?.id)}
        count={shown.length}
        active={place}
        about={ABOUT_REM}
        handle={grid}
        onActive={(at) => (selection.active.value = shown[at]?.id ?? "")}
        onSight={(first, end) => wantPictures("grid", shown.slice(first, end))}
        tile={tile}
      />
      {may("people") && !draft.value && (
        <SelectionBar
          selection={selection}
          onName={() => (asked.value = { kind: "name", ids: selection.ids })}
          onMerge={mergeInto}
          onPick={() => (asked.value = { kind: "pick", ids: selection.ids })}
          onDismiss={drop}
        />
      )}
      {asked.value && (
        <Question
          asked={asked.value}
          onMerge={mergeInto}
          onEnd={(isDone) => {
            asked.value = null;
            if (isDone) selection.clear();
          }}
        />
      )}
    </>
  );
}

const { short } = says.keys;
const hints: [string, string][] = [
  ["Enter", short.name],
  ["x", short.select],
  ["m", short.merge],
  ["Delete", short.dismiss],
  ["u", short.undo],
];

/** In a field that is not about to go. */
function isTyping(): boolean {
  const dialogs = [...document.querySelectorAll("dialog[open].modal")];
  if (draft.peek() || dialogs.some((dialog) => !dialog.closest(".naming"))) return true;
  const field = document.activeElement?.closest("input:not([type=checkbox]), select, textarea");
  return field != null && !field.closest(".naming");
}

function NoneFound() {
  return (
    <Notice title={says.noneFound}>
      <button type="button" onClick={() => change({ find: null, show: null }, true)}>
        {says.showAll}
      </button>
    </Notice>
  );
}
