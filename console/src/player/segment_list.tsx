/** The segments of a transcript: they follow the playing, can be searched, and a click goes there. */
import { type ReadonlySignal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Schemas } from "../api/client";
import { placesOf } from "../parts/marked";
import { type Segment, segmentsOf, spokenAt } from "../parts/segments";
import { words } from "../words";
import { SegmentItem } from "./segment_item";
import { type TranscriptRows, useTranscriptRows } from "./transcript_rows";
import type { Viewing } from "./viewing";

interface SegmentListProps {
  viewing: Viewing;
  spoken: Schemas["Transcription"];
}

export function SegmentList({ viewing, spoken }: SegmentListProps) {
  const { playing } = viewing;
  const find = useSignal("");
  const follows = useSignal(!isCalm());
  const segments = useMemo(() => segmentsOf(spoken), [spoken]);
  const shown = useComputed(() =>
    segments.filter(({ text }) => !find.value || placesOf(text, find.value).length > 0),
  );
  const current = useComputed(() => segments[spokenAt(segments, playing.time.value)]);
  return (
    <>
      <div class="find">
        <input
          type="search"
          aria-label={words.player.findInTranscript}
          placeholder={words.player.findInTranscript}
          value={find}
          onInput={(event) => (find.value = event.currentTarget.value)}
        />
        <span class="hint" role="status">
          {find.value && words.player.foundSegments(shown.value.length, segments.length)}
        </span>
        {!follows.value && (
          <button type="button" onClick={() => (follows.value = true)}>
            {words.player.followAgain}
          </button>
        )}
      </div>
      <Rows
        viewing={viewing}
        shown={shown.value}
        find={find.value}
        current={current}
        follows={follows.value}
        onScroll={() => (follows.value = false)}
      />
    </>
  );
}

interface RowsProps {
  viewing: Viewing;
  shown: Segment[];
  find: string;
  current: ReadonlySignal<Segment | undefined>;
  follows: boolean;
  onScroll: () => void; // by the reader
}

function Rows({ viewing, shown, find, current, follows, onScroll }: RowsProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const keys = useMemo(() => shown.map(({ index }) => index), [shown]);
  const focused = useSignal(-1); // the key of the row
  const rows = useTranscriptRows(scroller, keys, keys.indexOf(focused.value));
  const follow = () => {
    const place = current.value ? shown.indexOf(current.value) : -1;
    if (follows && place >= 0) rows.scrollToIndex(place, { align: "center" });
  };
  const latest = useRef(follow);
  latest.current = follow;
  useSignalEffect(() => {
    if (current.value) latest.current();
  });
  useEffect(follow, [follows, shown]);
  return (
    <div
      ref={scroller}
      class="segments"
      onWheel={onScroll}
      onTouchMove={onScroll}
      onFocusIn={(event) => (focused.value = keys[placeOf(event) ?? -1] ?? -1)}
      onKeyDown={(event) => moveFocus(event, rows)}
    >
      <ol style={{ height: `${rows.getTotalSize()}px` }}>
        {rows.getVirtualItems().map(({ key, index, start }) => {
          const segment = shown[index];
          if (!segment) return null;
          return (
            <li
              key={String(key)}
              ref={rows.measureElement}
              data-index={index}
              aria-setsize={shown.length}
              aria-posinset={index + 1}
              style={{ top: `${start}px` }}
            >
              <SegmentItem
                segment={segment}
                find={find}
                current={current}
                playing={viewing.playing}
              />
            </li>
          );
        })}
      </ol>
    </div>
  );
}

/** ↑ and ↓ go from segment to segment. */
function moveFocus(event: KeyboardEvent, rows: TranscriptRows): void {
  const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const place = placeOf(event);
  if (way === undefined || place === undefined) return;
  event.preventDefault();
  const next = place + way;
  if (next < 0 || next >= rows.options.count) return;
  rows.scrollToIndex(next);
  rows.scrollElement?.querySelector<HTMLElement>(`[data-index="${next}"] button`)?.focus();
}

/** Of the row in which something happens. */
function placeOf(event: Event): number | undefined {
  const row = event.target instanceof Element ? event.target.closest("li") : null;
  return row ? Number(row.dataset.index) : undefined;
}

function isCalm(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
