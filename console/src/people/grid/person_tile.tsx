/** One person in the grid: a face, a name, how long they are seen. */
import { type Signal, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { may } from "../../api/session";
import { Icon } from "../../parts/icon";
import { says } from "../../words/people";
import { NameField } from "../naming/name_field";
import type { Cluster } from "../state/cast";
import { dragged, dropTarget, endDrag, startDrag } from "./dragging";
import { Face } from "./face";
import type { Place } from "./grid";

interface PersonTileProps {
  person: Cluster;
  at: Place;
  count: number;
  href: string;
  isSelected: boolean;
  naming?: Signal<string>; // the name that is being typed
  ids: () => string[]; // what is dragged with it
  onActive: () => void;
  onSelect: (isRange: boolean) => void;
  onName: () => void;
  onNamed: (isLeft: boolean) => void; // or not
  onDrop: (ids: string[]) => void;
}

export function PersonTile(props: PersonTileProps) {
  const { person, at, count, isSelected, naming } = props;
  const isOver = useSignal(false);
  const isRange = useRef(false); // a change does not tell of Shift, the click before it does
  const mayChange = may("people");
  const name = person.name || says.unnamed;
  const facts = says.facts(person);
  const target = mayChange ? dropTarget(person.id, props.onDrop) : {};
  const kinds = [isSelected && "selected", naming && "naming", isOver.value && dragged.value.length > 0 && "over"];
  return (
    <div
      role="listitem"
      class={["face-tile", ...kinds].filter(Boolean).join(" ")}
      style={at.style}
      aria-setsize={count}
      aria-posinset={at.place + 1}
      data-place={at.place}
      onFocusIn={props.onActive}
      onDragEnter={() => (isOver.value = true)}
      onDragLeave={({ relatedTarget, currentTarget }) => {
        if (!(relatedTarget instanceof Node && currentTarget.contains(relatedTarget))) isOver.value = false;
      }}
      onDragEnd={endDrag}
      {...target}
    >
      <a
        class="face-link"
        href={props.href}
        tabIndex={at.isActive ? 0 : -1}
        aria-label={says.ofPerson(name, facts, says.parts(person))}
        draggable={mayChange}
        style={{ height: `${at.shape.width}px` }}
        onDragStart={(event) => startDrag(event, props.ids())}
        onClick={(event) => {
          if (!mayChange || !(event.shiftKey || event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          props.onSelect(event.shiftKey);
        }}
        onKeyDown={(event) => {
          if (!mayChange || (event.key !== "Enter" && event.key !== " ")) return;
          event.preventDefault();
          if (event.key === "Enter") props.onName();
          else props.onSelect(event.shiftKey);
        }}
      >
        <Face person={person} />
      </a>
      {mayChange && (
        <input
          type="checkbox"
          class="face-check"
          checked={isSelected}
          tabIndex={at.isActive ? 0 : -1}
          aria-label={says.actions.select(name)}
          onClick={(event) => (isRange.current = event.shiftKey)}
          onChange={(event) => {
            // The end of a range stays selected.
            if (isRange.current && isSelected) event.currentTarget.checked = true;
            props.onSelect(isRange.current);
          }}
        />
      )}
      {naming ? (
        <NameField ids={[person.id]} name={person.name} draft={naming} isAtEnd={at.isAtEnd} onEnd={props.onNamed} />
      ) : (
        <NameButton person={person} at={at} onName={props.onName} />
      )}
      <p class="face-facts" title={`${facts} · ${says.parts(person)}`}>
        <Amount person={person} />
      </p>
    </div>
  );
}

function NameButton({ person, at, onName }: Pick<PersonTileProps, "person" | "at" | "onName">) {
  if (!may("people")) return <p class="face-name">{person.name || says.unnamed}</p>;
  return (
    <button
      type="button"
      class={person.name ? "face-name" : "face-name none"}
      tabIndex={at.isActive ? 0 : -1}
      title={person.name || says.actions.name}
      onClick={onName}
    >
      {person.name || says.actions.name}
    </button>
  );
}

/** How much of them there is: a sign for a voice, where both would not fit in words. */
function Amount({ person }: { person: Cluster }) {
  const { faces, voices, spoken } = person;
  if (voices === 0) return <>{says.amount(person)}</>;
  return (
    <>
      {faces > 0 && `${says.seen(person.seconds, person.stills)} · `}
      <Icon of="sound" />
      <span class="hidden">{says.speaksFor}</span> {says.length(spoken)}
    </>
  );
}
