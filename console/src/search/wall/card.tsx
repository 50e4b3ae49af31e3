/** One hit: its picture, which scrubs, what it is, and what can be done with it. */
import { useComputed } from "@preact/signals";
import { type Hit, scrubSeconds } from "../asking/hits";
import { fileName, timeText } from "../../parts/times";
import { renewPictures } from "../asking/results";
import { imageOf } from "../asking/said_pictures";
import { words } from "../../words";
import { add, canAdd, hrefTo, isAdded, moreLike, open } from "./actions";
import { fetchScene, imageAt, scrub, scrubEnd, scrubTo } from "./scrub";

interface CardProps {
  hit: Hit;
  place: number; // from 0
  count: number; // -1: nobody knows yet
  isActive: boolean;
  onActive: () => void;
  onAdd: () => void;
  style: Record<string, string>;
  pictureHeight: number;
}

const says = words.search.wall;

export function Card({ hit, place, count, isActive, onActive, onAdd, style, pictureHeight }: CardProps) {
  const name = fileName(hit.path);
  return (
    <div
      role="listitem"
      class="card"
      style={style}
      aria-setsize={count}
      aria-posinset={place + 1}
      data-place={place}
      onFocusIn={onActive}
      // Browsers also say so of what is scrolled below a mouse that rests.
      onPointerMove={({ movementX, movementY }) => (movementX || movementY) && onActive()}
    >
      <a
        class="shot"
        href={hrefTo(hit)}
        tabIndex={isActive ? 0 : -1}
        aria-label={nameOf(hit, name)}
        style={{ height: `${pictureHeight}px` }}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another window
          event.preventDefault();
          open(hit);
        }}
        onKeyDown={(event) => {
          if (event.key !== " ") return;
          event.preventDefault();
          open(hit);
        }}
        onPointerEnter={(event) => event.pointerType === "mouse" && fetchScene(hit)}
        onPointerMove={(event) => {
          if (event.pointerType === "mouse") scrubTo(hit, event.offsetX / event.currentTarget.clientWidth);
        }}
        onPointerLeave={() => scrubEnd(hit)}
      >
        <Shot hit={hit} />
      </a>
      <Labels hit={hit} top={pictureHeight} />
      <div class="about">
        <p class="name" title={hit.path}>
          {name}
        </p>
        {hit.said !== undefined && (
          <p class="said" title={hit.said}>
            {hit.said}
          </p>
        )}
        <p class="facts">
          {hit.strength && <span class={`strength ${hit.strength}`}>{says.strength[hit.strength]}</span>}
          {hit.matchedBy && <span class="by">{says.by[hit.matchedBy]}</span>}
          <span class="people" title={peopleOf(hit)}>
            {peopleOf(hit)}
          </span>
        </p>
      </div>
      <div class="acts">
        {canAdd(hit) && (
          <button
            type="button"
            tabIndex={isActive ? 0 : -1}
            aria-label={isAdded(hit) ? says.added : says.add}
            title={isAdded(hit) ? says.added : says.add}
            onClick={() => add(hit) && onAdd()}
          >
            {isAdded(hit) ? "✓" : "+"}
          </button>
        )}
        <button
          type="button"
          tabIndex={isActive ? 0 : -1}
          aria-label={says.like}
          title={says.like}
          onClick={() => moreLike(hit)}
        >
          ≈
        </button>
      </div>
    </div>
  );
}

/** Which second of its scene is shown instead of the hit's own, and how far on that is. */
function useScrubbed(hit: Hit): { second?: number; share: number } {
  const step = useComputed(() => (scrub.value?.key === hit.key ? scrub.value.step : null)).value;
  if (step === null) return { share: 0 };
  const seconds = scrubSeconds(hit);
  return { second: seconds[step], share: (step + 0.5) / seconds.length };
}

function Shot({ hit }: { hit: Hit }) {
  const { second, share } = useScrubbed(hit);
  const source = second === undefined ? imageOf(hit) : imageAt(hit, second);
  return (
    <>
      {source && (
        <img src={source} alt="" loading="lazy" decoding="async" draggable={false} onError={renewPictures} />
      )}
      {second !== undefined && <span class="line" style={{ left: `${100 * share}%` }} />}
    </>
  );
}

/** On the picture, but no part of the link, whose name says the same. */
function Labels({ hit, top }: { hit: Hit; top: number }) {
  const { second } = useScrubbed(hit);
  return (
    <div class="labels" style={{ height: `${top}px` }}>
      {!imageOf(hit) && <span class="without">{says.noPicture}</span>}
      {hit.isOffline && <span class="badge">{says.offline}</span>}
      <span class="time">{timeText(second ?? hit.at, true)}</span>
    </div>
  );
}

function nameOf(hit: Hit, name: string): string {
  const strength = hit.strength && says.match(says.strength[hit.strength]);
  const offline = hit.isOffline ? says.offline : "";
  const by = hit.matchedBy && says.by[hit.matchedBy];
  return [name, timeText(hit.at, true), hit.said, strength, by, peopleOf(hit), offline].filter(Boolean).join(", ");
}

function peopleOf(hit: Hit): string {
  const unnamed = hit.unnamed > 0 && says.unnamed(hit.unnamed);
  const by = hit.speaker ? says.spokenBy(hit.speaker) : hit.kind && says.kinds[hit.kind];
  return [by, ...hit.people, unnamed].filter(Boolean).join(", ");
}
