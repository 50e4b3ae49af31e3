/** One face of a person: to be selected, and to be looked at in its film. */
import { may } from "../../api/session";
import { fileName } from "../../parts/times";
import { hrefOf, route } from "../../route";
import { says } from "../../words/people";
import { endDrag } from "../grid/dragging";
import type { Place } from "../grid/grid";
import type { FaceOf } from "./face_pages";

interface FaceTileProps {
  face?: FaceOf; // left out: it is not loaded yet
  at: Place;
  count: number;
  isSelected: boolean;
  onActive: () => void;
  onSelect: (isRange: boolean) => void;
  onDrag: (event: DragEvent) => void;
}

export function FaceTile({ face, at, count, isSelected, onActive, onSelect, onDrag }: FaceTileProps) {
  const file = face?.media_path ? fileName(face.media_path) : "";
  const time = face?.timestamp ?? "";
  const mayChange = may("people");
  const image = face?.image && <img src={`data:image/jpeg;base64,${face.image}`} alt="" draggable={false} />;
  const href = face && momentOf(face);
  return (
    <div
      role="listitem"
      class={isSelected ? "face-tile one selected" : "face-tile one"}
      style={at.style}
      aria-setsize={count}
      aria-posinset={at.place + 1}
      data-place={at.place}
      onFocusIn={onActive}
    >
      <button
        type="button"
        class="face-link"
        tabIndex={at.isActive ? 0 : -1}
        aria-pressed={mayChange ? isSelected : undefined}
        aria-label={mayChange ? says.person.selectFace(file, time) : says.person.face(file, time)}
        title={face?.media_path ?? undefined}
        style={{ height: `${at.shape.width}px` }}
        draggable={mayChange && face !== undefined}
        onDragStart={onDrag}
        onDragEnd={endDrag}
        onClick={(event) => mayChange && face && onSelect(event.shiftKey)}
      >
        {image || <span class="face-empty">{face && says.person.noPicture}</span>}
      </button>
      {href ? (
        <a class="face-facts" href={href} tabIndex={at.isActive ? 0 : -1} aria-label={says.person.face(file, time)}>
          {time}
        </a>
      ) : (
        <span class="face-facts">{time}</span>
      )}
    </div>
  );
}

/** The address that shows the film at this moment. */
export function momentOf({ media_path: path, frame_idx }: FaceOf): string | undefined {
  if (!path) return undefined;
  const { page, params } = route.value;
  const next = new URLSearchParams(params);
  next.set("play", path);
  next.set("at", frame_idx);
  return hrefOf(page, next);
}
