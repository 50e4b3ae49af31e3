/** Everything that the keys do, as buttons with names. */
import { Icon, type IconName } from "../parts/icon";
import { timeText } from "../parts/times";
import { words } from "../words";
import type { Viewing } from "./viewing";

interface ControlsProps {
  viewing: Viewing;
  toFullScreen: () => void;
}

export function Controls({ viewing, toFullScreen }: ControlsProps) {
  const { playing, marks } = viewing;
  const say = words.player;
  const speed = playing.speed.value;
  const [isPlaying, isMuted] = [playing.isPlaying.value, playing.isMuted.value];
  const hasScenes = viewing.scenes.value.length > 0;
  const isMarked = marks.in.value !== null || marks.out.value !== null;
  const range = viewing.range.value;
  const cannotPlay = playing.feed.source.value === null;
  return (
    <div class="controls">
      <div class="group">
        <Act
          icon="former"
          name={say.keys.formerScene}
          off={!hasScenes}
          run={() => viewing.goToScene(-1)}
        />
        <Act icon="back" name={say.keys.pictureBack} run={() => playing.step(-1)} />
        <Act
          icon={isPlaying ? "pause" : "play"}
          name={isPlaying ? say.pause : say.play}
          off={cannotPlay}
          run={() => playing.toggle()}
        />
        <Act icon="on" name={say.keys.pictureOn} run={() => playing.step(1)} />
        <Act
          icon="next"
          name={say.keys.nextScene}
          off={!hasScenes}
          run={() => viewing.goToScene(1)}
        />
        <Act
          icon={isMuted ? "mute" : "sound"}
          name={isMuted ? say.soundOn : say.soundOff}
          run={() => playing.toggleSound()}
        />
        <Act icon="full" name={say.keys.fullScreen} run={toFullScreen} />
        <Clock viewing={viewing} />
        {speed !== 1 && <span class="speed">{say.speed(speed)}</span>}
      </div>
      <div class="group">
        <button type="button" onClick={() => viewing.markIn()} title={say.keys.markIn}>
          {say.in}
        </button>
        <button type="button" onClick={() => viewing.markOut()} title={say.keys.markOut}>
          {say.out}
        </button>
        {isMarked && <Act icon="clear" name={say.keys.clear} run={() => marks.clear()} />}
        <span class="range-text">
          {timeText(range.start)} – {timeText(range.end)}
        </span>
        <button
          type="button"
          class="primary"
          disabled={range.end <= range.start}
          onClick={() => viewing.addToBasket()}
        >
          {say.add}
        </button>
        <span role="status" class="hint">
          {viewing.added.value > 0 && say.added(viewing.added.value)}
        </span>
      </div>
    </div>
  );
}

function Clock({ viewing }: { viewing: Viewing }) {
  const { playing } = viewing;
  const time = timeText(playing.pictures.value.begin(playing.time.value));
  return (
    <span class="clock">
      <span>{time}</span>
      <span class="hint"> / {timeText(playing.duration.value)}</span>
    </span>
  );
}

interface ActProps {
  icon: IconName;
  name: string;
  run: () => void;
  off?: boolean;
}

function Act({ icon, name, run, off }: ActProps) {
  return (
    <button type="button" class="icon" aria-label={name} title={name} disabled={off} onClick={run}>
      <Icon of={icon} />
    </button>
  );
}
