/** The segments of a transcript: they follow the playing, can be searched, and a click goes there. */
import { type ReadonlySignal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { placesOf } from "../../parts/marked";
import { type Segment, segmentsOf, spokenAt, type Text } from "../../parts/segments";
import { says } from "../../words/transcript";
import type { Viewing } from "../viewing";
import { type TranscriptRows, useTranscriptRows } from "./rows";
import { SegmentItem } from "./segment_item";
import type { Speaker } from "./speakers";
import { Who } from "./who";

/** Who says what, where that is known. */
interface Told {
  speakers?: ReadonlyMap<string, Speaker>;
  onAsk?: (label: string) => void;
}

interface SegmentListProps extends Told {
  viewing: Viewing;
  spoken: Text;
}

export function SegmentList({ viewing, spoken, speakers, onAsk }: SegmentListProps) {
  const { playing } = viewing;
  const find = useSignal("");
  const follows = useSignal(!isCalm());
  const segments = useMemo(() => segmentsOf(spoken), [spoken]);
  const shown = useComputed(() =>
    segments.filter(({ text, speaker }) => {
      const name = speakers?.get(speaker ?? "")?.name ?? "";
      return !find.value || [text, name].some((each) => placesOf(each, find.value).length > 0);
    }),
  );
  const current = useComputed(() => segments[spokenAt(segments, playing.time.value)]);
  return (
    <>
      <div class="find">
        <input
          type="search"
          aria-label={says.find}
          placeholder={says.find}
          value={find}
          onInput={(event) => (find.value = event.currentTarget.value)}
        />
        <span class="hint" role="status">
          {find.value && says.found(shown.value.length, segments.length)}
        </span>
        {!follows.value && (
          <button type="button" onClick={() => (follows.value = true)}>
            {says.followAgain}
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
        speakers={speakers}
        onAsk={onAsk}
      />
    </>
  );
}

interface RowsProps extends Told {
  viewing: Viewing;
  shown: Segment[];
  find: string;
  current: ReadonlySignal<Segment | undefined>;
  follows: boolean;
  onScroll: () => void; // by the reader
}

function Rows({ viewing, shown, find, current, follows, onScroll, speakers, onAsk }: RowsProps) {
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
          const speaker = speakers?.get(segment.speaker ?? "");
          return (
            <li
              key={String(key)}
              ref={rows.measureElement}
              data-index={index}
              aria-setsize={shown.length}
              aria-posinset={index + 1}
              style={{ top: `${start}px` }}
            >
              {speaker && onAsk && <Who speaker={speaker} isDoubtful={segment.isDoubtful} onAsk={onAsk} />}
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
  rows.scrollElement?.querySelector<HTMLElement>(`[data-index="${next}"] .segment`)?.focus();
}

/** Of the row in which something happens. */
function placeOf(event: Event): number | undefined {
  const row = event.target instanceof Element ? event.target.closest("li") : null;
  return row ? Number(row.dataset.index) : undefined;
}

function isCalm(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
