/** Which one plays, the original or its preview, and a switch. */
import { words } from "../words";
import type { Source } from "./feed";
import type { Playing } from "./playing";
import { PreviewSource } from "./preview_source";

export function SourceSwitch({ playing }: { playing: Playing }) {
  const playback = playing.feed.playback.value;
  if (!playback?.original || playback.kind === "still") return null;
  const can: Record<Source, boolean> = {
    original: !playing.feed.isForeign.value,
    preview: PreviewSource.canPlay(playback.preview),
  };
  return (
    <>
      {!can.original && <span class="hint">{words.player.source.cannot.original}</span>}
      <div class="switch" role="group" aria-label={words.player.source.title}>
        {(["original", "preview"] as const).map((source) => (
          <button
            key={source}
            type="button"
            disabled={!can[source]}
            title={
              can[source] ? words.player.source.hint[source] : words.player.source.cannot[source]
            }
            aria-pressed={playing.feed.source.value === source}
            onClick={() => playing.feed.choose(source)}
          >
            {words.player.source[source]}
          </button>
        ))}
      </div>
    </>
  );
}
