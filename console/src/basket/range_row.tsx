/** One range of the basket: its picture, its times, its place. */
import { useSignal } from "@preact/signals";
import { Icon } from "../parts/icon";
import { fileName, timeText } from "../parts/times";
import { hrefOf } from "../route";
import { words } from "../words";
import { changeRange, moveRange, removeRanges, type Range } from "./basket";
import { RangePicture } from "./range_picture";
import { TimeField } from "./time_field";

export function RangeRow({ range, index }: { range: Range; index: number }) {
  const { id, mediaPath, start, end } = range;
  const name = fileName(mediaPath);
  const say = words.basket;
  return (
    <li class="range" data-index={index}>
      <Grip range={range} index={index} name={name} />
      <RangePicture range={range} />
      <div class="what">
        <a href={playerHref(range)} title={mediaPath}>
          {name}
        </a>
        <div class="times">
          <TimeField
            label={say.startOf(name)}
            seconds={start}
            fault={(seconds) => (seconds >= end ? say.startAfterEnd : undefined)}
            onChange={(seconds) => changeRange(id, { start: seconds })}
          />
          –
          <TimeField
            label={say.endOf(name)}
            seconds={end}
            fault={(seconds) => (seconds <= start ? say.endBeforeStart : undefined)}
            onChange={(seconds) => changeRange(id, { end: seconds })}
          />
          <span class="hint">{timeText(end - start)}</span>
        </div>
      </div>
      <button
        type="button"
        class="icon"
        aria-label={say.remove(name)}
        title={say.remove(name)}
        onClick={() => removeRanges([id])}
      >
        <Icon of="clear" />
      </button>
    </li>
  );
}

/** By hand, or with the keys ↑ and ↓. */
function Grip({ range, index, name }: { range: Range; index: number; name: string }) {
  const isHeld = useSignal(false);

  function onKeyDown(event: KeyboardEvent): void {
    const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (way === undefined) return;
    event.preventDefault();
    const grip = event.currentTarget as HTMLElement;
    moveRange(range.id, index + way);
    requestAnimationFrame(() => grip.focus()); // it may have been put elsewhere
  }

  function onPointerMove(event: PointerEvent): void {
    if (!isHeld.value) return;
    const under = document.elementFromPoint(event.clientX, event.clientY);
    const place = under?.closest<HTMLElement>("li.range")?.dataset.index;
    if (place !== undefined) moveRange(range.id, Number(place));
  }

  return (
    <button
      type="button"
      class={isHeld.value ? "icon grip held" : "icon grip"}
      aria-label={words.basket.move(name, index + 1)}
      title={words.basket.moveHint}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        isHeld.value = true;
      }}
      onPointerMove={onPointerMove}
      onLostPointerCapture={() => (isHeld.value = false)}
    >
      <Icon of="grip" />
    </button>
  );
}

function playerHref({ mediaPath, cacheDir, start, end }: Range): string {
  const params = { play: mediaPath, at: start, from: start, to: end, dir: cacheDir };
  const named = Object.entries(params).map(([name, value]) => [name, String(value)]);
  return hrefOf("search", new URLSearchParams(named));
}
