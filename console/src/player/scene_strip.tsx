/** The scenes of the file, each with a picture. Only those in sight are on the page. */
import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Schemas } from "../api/client";
import type { Loaded } from "../parts/load";
import { Failure } from "../parts/notice";
import { timeText } from "../parts/times";
import { words } from "../words";
import type { Viewing } from "./viewing";

const WIDTH = 132; // pixels of a scene, as in player.css
const MORE = 4; // scenes beside those in sight

interface SceneStripProps {
  viewing: Viewing;
  known: Loaded<Schemas["Metadata"]>;
}

export function SceneStrip({ viewing, known }: SceneStripProps) {
  const scenes = viewing.scenes.value;
  if (known.error) return <Failure error={known.error} again={known.again} />;
  if (scenes.length > 0) return <Strip viewing={viewing} />;
  if (!known.data || viewing.playing.feed.playback.value?.kind !== "video") return null;
  return <p class="hint">{words.player.noScenes}</p>;
}

function Strip({ viewing }: { viewing: Viewing }) {
  const strip = useRef<HTMLDivElement>(null);
  const scrolled = useSignal(0);
  const width = useSignal(0);
  const focused = useSignal(-1); // a scene that stays, as it may have the focus
  const scenes = viewing.scenes.value;
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => (width.value = entry?.contentRect.width ?? 0));
    if (strip.current) observer.observe(strip.current);
    return () => observer.disconnect();
  }, []);
  useSignalEffect(() => {
    const index = viewing.sceneIndex.value;
    if (index >= 0 && width.value > 0) bringIntoSight(strip.current, index);
  });
  const first = Math.max(0, Math.floor(scrolled.value / WIDTH) - MORE);
  const last = Math.ceil((scrolled.value + width.value) / WIDTH) + MORE;
  return (
    <div
      ref={strip}
      class="strip"
      onScroll={(event) => (scrolled.value = event.currentTarget.scrollLeft)}
    >
      <ol
        aria-label={words.player.scenes(scenes.length)}
        style={{ width: `${scenes.length * WIDTH}px` }}
      >
        {scenes.map(
          (_, index) =>
            ((index >= first && index < last) || index === focused.value) && (
              <SceneItem
                key={index}
                viewing={viewing}
                index={index}
                onFocus={() => (focused.value = index)}
              />
            ),
        )}
      </ol>
    </div>
  );
}

interface SceneItemProps {
  viewing: Viewing;
  index: number;
  onFocus: () => void;
}

function SceneItem({ viewing, index, onFocus }: SceneItemProps) {
  const scene = viewing.scenes.value[index];
  if (!scene) return null;
  const { start_seconds: start, end_seconds: end } = scene;
  const url = viewing.pictureUrl((start + end) / 2);
  return (
    <li
      style={{ left: `${index * WIDTH}px` }}
      aria-setsize={viewing.scenes.value.length}
      aria-posinset={index + 1}
    >
      <button
        type="button"
        aria-label={words.player.scene(index + 1, timeText(start, true))}
        onFocus={onFocus}
        aria-current={viewing.sceneIndex.value === index}
        onClick={() => viewing.playing.seek(start)}
      >
        {url ? <img src={url} alt="" loading="lazy" /> : <span class="empty" />}
        <span>{timeText(start, true)}</span>
      </button>
    </li>
  );
}

function bringIntoSight(strip: HTMLElement | null, index: number): void {
  if (!strip) return;
  const [left, right] = [index * WIDTH, (index + 1) * WIDTH];
  const isSeen = left >= strip.scrollLeft && right <= strip.scrollLeft + strip.clientWidth;
  if (isSeen || strip.matches(":hover")) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const to = left - (strip.clientWidth - WIDTH) / 2;
  strip.scrollTo({ left: to, behavior: calm ? "instant" : "smooth" });
}
