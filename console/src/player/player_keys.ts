/** The keys of the player, as editors know them. */
import type { Key } from "../keys";
import { words } from "../words";
import type { Viewing } from "./viewing";

export interface Hits {
  former?: () => void;
  next?: () => void;
}

interface Acts {
  hits?: Hits;
  toFullScreen: () => void;
  close: () => void;
}

export function playerKeys(viewing: Viewing, { hits, toFullScreen, close }: Acts): Key[] {
  const { playing } = viewing;
  const say = words.player.keys;
  const move = (seconds: number) => () => playing.seek(playing.time.peek() + seconds);
  const keys: Key[] = [
    { keys: [" "], what: say.toggle, run: () => playing.toggle() },
    { keys: ["ArrowLeft"], what: say.back, run: move(-1) },
    { keys: ["ArrowRight"], what: say.on, run: move(1) },
    { keys: ["Shift+ArrowLeft"], what: say.farBack, run: move(-10) },
    { keys: ["Shift+ArrowRight"], what: say.farOn, run: move(10) },
    { keys: [","], what: say.pictureBack, run: () => playing.step(-1) },
    { keys: ["."], what: say.pictureOn, run: () => playing.step(1) },
    { keys: ["j"], what: say.backwards, run: () => playing.shuttle(-1) },
    { keys: ["k"], what: say.stop, run: () => playing.pause() },
    { keys: ["l"], what: say.forwards, run: () => playing.shuttle(1) },
    {
      keys: ["i"],
      what: say.markIn,
      run: ({ shiftKey }) => (shiftKey ? viewing.goToIn() : viewing.markIn()),
    },
    {
      keys: ["o"],
      what: say.markOut,
      run: ({ shiftKey }) => (shiftKey ? viewing.goToOut() : viewing.markOut()),
    },
    { keys: ["x"], what: say.clear, run: () => viewing.marks.clear() },
    { keys: ["a"], what: say.add, run: () => viewing.addToBasket() },
    { keys: ["["], what: say.formerScene, run: () => viewing.goToScene(-1) },
    { keys: ["]"], what: say.nextScene, run: () => viewing.goToScene(1) },
    { keys: ["m"], what: say.mute, run: () => playing.toggleSound() },
    { keys: ["f"], what: say.fullScreen, run: toFullScreen },
    { keys: ["Escape"], what: say.close, run: close },
  ];
  const { former, next } = hits ?? {};
  if (former) keys.push({ keys: ["ArrowUp"], what: say.formerHit, run: former });
  if (next) keys.push({ keys: ["ArrowDown"], what: say.nextHit, run: next });
  return keys;
}
