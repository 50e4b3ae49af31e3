/** The whole file as a line: where it is, what is marked, and what is under the pointer. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { timeText } from "../parts/times";
import { words } from "../words";
import type { Viewing } from "./viewing";

const PAGE_S = 30;

export function Timeline({ viewing }: { viewing: Viewing }) {
  const { playing } = viewing;
  const line = useRef<HTMLDivElement>(null);
  const hover = useSignal<number | null>(null); // seconds
  const duration = playing.duration.value;
  const time = playing.pictures.value.begin(playing.time.value);
  const part = (seconds: number) => `${duration > 0 ? Math.min(1, seconds / duration) * 100 : 0}%`;
  const secondsAt = (event: PointerEvent): number => {
    const { left, width } = line.current!.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - left) / width)) * duration;
  };

  function onKeyDown(event: KeyboardEvent): void {
    const to: Record<string, number> = {
      Home: 0,
      End: duration,
      PageUp: time + PAGE_S,
      PageDown: time - PAGE_S,
      ArrowUp: time + 1,
      ArrowDown: time - 1,
    };
    const wanted = to[event.key];
    if (wanted === undefined) return; // ← and → are keys of the whole player
    event.preventDefault();
    playing.seek(wanted);
  }

  const { start, end } = viewing.range.value;
  const isMarked = viewing.marks.in.value !== null || viewing.marks.out.value !== null;
  return (
    <div
      ref={line}
      class="timeline"
      role="slider"
      tabIndex={0}
      aria-label={words.player.place}
      aria-valuemin={0}
      aria-valuemax={Math.round(duration)}
      aria-valuenow={Math.round(time)}
      aria-valuetext={words.player.placeOf(timeText(time), timeText(duration))}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        playing.seek(secondsAt(event));
      }}
      onPointerMove={(event) => {
        hover.value = secondsAt(event);
        if (event.currentTarget.hasPointerCapture(event.pointerId)) playing.seek(hover.value);
      }}
      onPointerLeave={() => (hover.value = null)}
    >
      <div class="track">
        <div
          class={isMarked ? "range marked" : "range"}
          style={{ left: part(start), width: part(end - start) }}
        />
        <div class="played" style={{ width: part(time) }} />
      </div>
      <div class="hand" style={{ left: part(time) }} />
      {hover.value !== null && (
        <Hovered
          url={viewing.pictureUrl(hover.value)}
          seconds={hover.value}
          left={part(hover.value)}
        />
      )}
    </div>
  );
}

function Hovered({ url, seconds, left }: { url?: string; seconds: number; left: string }) {
  return (
    <div class="hovered" style={{ left }} aria-hidden="true">
      {url && <img src={url} alt="" />}
      {timeText(seconds, true)}
    </div>
  );
}
