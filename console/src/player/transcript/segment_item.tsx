/** One segment of a transcript; its words are marked as they are said. */
import { type ReadonlySignal, useComputed } from "@preact/signals";
import { Marked } from "../../parts/marked";
import { type Segment, spokenAt } from "../../parts/segments";
import { timeText } from "../../parts/times";
import type { Playing } from "../playing";

interface SegmentItemProps {
  segment: Segment;
  find: string;
  current: ReadonlySignal<Segment | undefined>;
  playing: Playing;
}

export function SegmentItem({ segment, find, current, playing }: SegmentItemProps) {
  const isCurrent = useComputed(() => current.value === segment);
  return (
    <button
      type="button"
      class="segment"
      aria-current={isCurrent.value}
      onClick={() => playing.seek(segment.start)}
    >
      <span class="at">{timeText(segment.start, true)}</span>
      <span>
        {isCurrent.value && !find ? (
          <Said segment={segment} playing={playing} />
        ) : (
          <Marked text={segment.text} find={find} />
        )}
      </span>
    </button>
  );
}

function Said({ segment, playing }: { segment: Segment; playing: Playing }) {
  const now = useComputed(() => spokenAt(segment.words, playing.time.value));
  const word = segment.words[now.value];
  if (!word) return <>{segment.text}</>;
  return (
    <>
      {segment.text.slice(0, word.from)}
      <span class="said">{word.text}</span>
      {segment.text.slice(word.to)}
    </>
  );
}
