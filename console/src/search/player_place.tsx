/** Where the player appears; it is fetched when something is played for the first time. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Failure } from "../parts/notice";
import type { Player } from "../player/player";
import { route } from "../route";
import type { Hit } from "./asking/hits";
import { open, playedPlace } from "./wall/actions";

interface PlayerPlaceProps {
  hits: Hit[]; // among which the player goes on and back
  more: () => Promise<void>;
}

export function PlayerPlace({ hits, more }: PlayerPlaceProps) {
  const player = useSignal<{ Player: typeof Player } | null>(null);
  const failure = useSignal<unknown>(null);
  const isWanted = route.value.params.has("play");

  function load(): void {
    failure.value = null;
    import("../player/player")
      .then((module) => (player.value = module))
      .catch((error: unknown) => (failure.value = error));
  }

  useEffect(() => {
    if (isWanted && !player.value) load();
  }, [isWanted]);

  if (!isWanted) return null;
  if (failure.value) return <Failure error={failure.value} again={load} />;
  const played = playedPlace(hits);

  /** How to play the hit before (-1) or after (1) this one, if there is one. */
  function goTo(step: number): (() => void) | undefined {
    const hit = played < 0 ? undefined : hits[played + step];
    if (!hit) return undefined;
    return () => {
      open(hit, true);
      if (hit === hits.at(-1)) void more();
    };
  }

  return player.value && <player.value.Player hits={{ former: goTo(-1), next: goTo(1) }} />;
}
