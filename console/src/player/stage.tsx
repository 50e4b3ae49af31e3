/** The picture, or the sentence that says why there is none. */
import { useSignal } from "@preact/signals";
import { useCallback } from "preact/hooks";
import { Failure, Notice } from "../parts/notice";
import { words } from "../words";
import type { Viewing } from "./viewing";

export function Stage({ viewing }: { viewing: Viewing }) {
  const { playing } = viewing;
  const playback = playing.feed.playback.value;
  const source = playing.feed.source.value;
  const attach = useCallback((video: HTMLVideoElement | null) => playing.attach(video), []);
  if (playback?.kind === "still") return <Still viewing={viewing} url={playback.original?.url} />;
  return (
    <div class="stage">
      {source === null && <StoredPicture viewing={viewing} />}
      <video
        ref={attach}
        class={source === null ? "gone" : undefined}
        aria-label={words.player.video}
        playsInline
        preload="auto"
        muted={playing.isMuted.value}
        onClick={() => playing.toggle()}
        {...playing.events}
      />
      {playback?.kind === "audio" && source !== null && (
        <p class="sound">{words.player.soundOnly}</p>
      )}
      <Sentence viewing={viewing} />
    </div>
  );
}

function Sentence({ viewing }: { viewing: Viewing }) {
  const { playing } = viewing;
  const say = words.player;
  const playback = playing.feed.playback.value;
  const failure = playing.feed.failure.value;
  if (failure) {
    return (
      <div class="over">
        <Failure error={failure} again={() => void playing.feed.load()} />
      </div>
    );
  }
  if (!playback) return <p class="over wait late">{words.loading}</p>;
  if (!playback.original) return <Over title={say.away} more={say.awayHint} />;
  if (playing.feed.source.value === null) {
    return (
      <Over
        title={say.unplayable(playback.original.type)}
        more={playback.preview ? say.oldBrowser : say.noPreview}
      />
    );
  }
  if (!playing.feed.isWaiting.value) return null;
  const isPreview = playing.feed.source.value === "preview";
  return (
    <p class="over wait late" role="status">
      {isPreview ? say.makingPreview : words.loading}
    </p>
  );
}

function Over({ title, more }: { title: string; more: string }) {
  return (
    <div class="over low" role="status">
      <Notice title={title}>
        <p>{more}</p>
      </Notice>
    </div>
  );
}

/** A stored picture of the moment, in place of the video. */
function StoredPicture({ viewing }: { viewing: Viewing }) {
  const url = viewing.pictureUrl(viewing.playing.time.value);
  return url ? <img src={url} alt={words.player.storedPicture} /> : null;
}

function Still({ viewing, url }: { viewing: Viewing; url?: string }) {
  const isBroken = useSignal(false);
  const stored = viewing.pictureUrl(0);
  const showsOriginal = url !== undefined && !isBroken.value;
  const shown = showsOriginal ? url : stored;
  return (
    <div class="stage">
      {shown && (
        <img src={shown} alt={words.player.still} onError={() => (isBroken.value = true)} />
      )}
      {!showsOriginal && (
        <p class="over low" role="status">
          {url === undefined
            ? words.player.away
            : stored
              ? words.player.smallStill
              : words.player.noStill}
        </p>
      )}
    </div>
  );
}
