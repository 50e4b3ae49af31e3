/** The wall of hits: only those near the window are drawn; further pages come before they are needed. */
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { connections } from "../../api/live";
import { useKeys } from "../../keys";
import { route } from "../../route";
import type { Hit } from "../asking/hits";
import type { Found } from "../asking/results";
import { isSpokenOnly } from "../asking/request";
import { keepPictures } from "../asking/said_pictures";
import { fileName } from "../../parts/times";
import { words } from "../../words";
import { add, moreLike, open, playedPlace } from "./actions";
import { Card } from "./card";
import { useLayout } from "./layout";
import { useRows } from "./rows";
import { scrubBy } from "./scrub";

const AHEAD_ROWS = 6; // so many rows below the window, the next page is asked for
const says = words.search.wall;

// Where somebody was who went to another page.
const left = new WeakMap<Found["asked"], { scrollY: number; active: number }>();

interface WallProps {
  found: Found;
  isOld?: boolean; // they belong to another search than that which is asked now
  more: () => Promise<void>;
}

export function Wall({ found, isOld = false, more }: WallProps) {
  const { hits, next, asked } = found;
  const wall = useRef<HTMLDivElement>(null);
  const active = useSignal(left.get(asked)?.active ?? 0);
  const wanted = useRef<number | null>(null); // is to have the focus once it is drawn
  const message = useSignal("");
  const isSaid = isSpokenOnly(asked);
  const { columns, gap, width, picture, height, top } = useLayout(wall, isSaid ? "said" : "seen");
  const rows = useRows({
    count: Math.ceil(hits.length / columns),
    height: height + gap,
    top,
    kept: Math.floor(active.value / columns),
  });
  const drawn = rows.getVirtualItems();
  const last = drawn.at(-1)?.index ?? 0;
  const isNearEnd = last + AHEAD_ROWS >= hits.length / columns;

  useEffect(() => {
    if (isNearEnd) void more();
  }, [isNearEnd, hits.length, next]);

  const first = (rows.range?.startIndex ?? 0) * columns;
  const end = ((rows.range?.endIndex ?? 0) + 1) * columns;
  useEffect(() => {
    if (isSaid) keepPictures({ asked, hits, first, end });
  }, [isSaid, hits, first, end, connections.value]);

  const before = useRef(asked);
  useEffect(() => {
    if (before.current === asked) return;
    before.current = asked;
    active.value = 0;
    if (window.scrollY > top) window.scrollTo({ top: 0 });
  }, [asked]);

  useEffect(() => {
    const place = left.get(asked);
    if (place) window.scrollTo({ top: place.scrollY });
    return () => {
      left.set(before.current, { scrollY: rows.scrollOffset ?? 0, active: active.peek() });
    };
  }, []);

  useLayoutEffect(() => {
    const card = wanted.current === null ? null : cardAt(wall.current, wanted.current);
    if (!card) return;
    wanted.current = null;
    card.focus({ preventScroll: true });
  });

  function move(to: number): void {
    const place = Math.max(0, Math.min(hits.length - 1, to));
    wanted.current = place;
    active.value = place;
    rows.scrollToIndex(Math.floor(place / columns), { align: "auto" });
    cardAt(wall.current, place)?.focus({ preventScroll: true });
  }

  function added(hit: Hit): void {
    message.value = says.announceAdded(fileName(hit.path));
  }

  const withActive = (act: (hit: Hit) => void) => () => {
    const hit = hits[active.peek()];
    if (hit) act(hit);
  };
  const isPlaying = route.value.params.has("play");
  const wasPlaying = useRef(isPlaying);
  const played = playedPlace(hits);
  useEffect(() => {
    if (played >= 0) active.value = played;
  }, [played]);
  useEffect(() => {
    if (wasPlaying.current && !isPlaying) move(active.peek());
    wasPlaying.current = isPlaying;
  }, [isPlaying]);
  useEffect(() => {
    // The player beside the wall leaves it fewer columns.
    if (isPlaying) rows.scrollToIndex(Math.floor(active.peek() / columns), { align: "auto" });
  }, [isPlaying, columns]);
  const keys = [
    { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"], what: says.move, run: arrow },
    { keys: ["Enter", " "], what: says.open, run: withActive((hit) => open(hit)) },
    { keys: ["i"], what: says.add, run: withActive((hit) => add(hit) && added(hit)) },
    { keys: ["m"], what: says.like, run: withActive(moreLike) },
    { keys: [","], what: says.back, run: withActive((hit) => scrubBy(hit, -1)) },
    { keys: ["."], what: says.on, run: withActive((hit) => scrubBy(hit, 1)) },
  ];
  useKeys(says.keys, isPlaying ? [] : keys);

  function arrow({ key }: KeyboardEvent): void {
    const focused = wall.current?.contains(document.activeElement)
      ? document.activeElement?.closest<HTMLElement>("[data-place]")
      : null;
    if (key === "Home") move(0);
    else if (key === "End") move(hits.length - 1);
    else if (!focused) move(active.peek());
    else move(Number(focused.dataset.place) + ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key] ?? 0));
  }

  return (
    <>
      <div
        ref={wall}
        role="list"
        aria-label={says.label}
        class={isOld ? "wall old" : "wall"}
        style={{ height: `${Math.max(0, rows.getTotalSize() - gap)}px` }}
      >
        {drawn.flatMap((row) =>
          hits.slice(row.index * columns, (row.index + 1) * columns).map((hit, column) => {
            const place = row.index * columns + column;
            return (
              <Card
                key={hit.key}
                hit={hit}
                place={place}
                count={next ? -1 : hits.length}
                isActive={place === active.value}
                onActive={() => (active.value = place)}
                onAdd={() => added(hit)}
                pictureHeight={picture}
                style={{
                  width: `${width}px`,
                  height: `${height}px`,
                  transform: `translate(${column * (width + gap)}px, ${row.start - top}px)`,
                }}
              />
            );
          }),
        )}
      </div>
      <p class="hidden" role="status">
        {message}
      </p>
    </>
  );
}

function cardAt(wall: HTMLElement | null, place: number): HTMLElement | null {
  return wall?.querySelector<HTMLElement>(`[data-place="${place}"] .shot`) ?? null;
}
