/** The player: shown while the address names a file to play. */
import { useSignalEffect } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { api, ask } from "../api/client";
import { connections } from "../api/live";
import { session } from "../api/session";
import { useKeys } from "../keys";
import { useLoad } from "../parts/load";
import { fileName } from "../parts/times";
import { change, route } from "../route";
import { words } from "../words";
import { Controls } from "./controls";
import { Facts } from "./facts";
import type { Span } from "./marks";
import { PeopleSeen } from "./people_seen";
import { playerKeys, type Hits } from "./player_keys";
import { SceneStrip } from "./scene_strip";
import { SourceSwitch } from "./source_switch";
import { Stage } from "./stage";
import { Timeline } from "./timeline";
import { Transcript } from "./transcript/transcript";
import { Viewing } from "./viewing";

/** `hits`: how to go to the hit before and after, where there are any. */
export function Player({ hits }: { hits?: Hits }) {
  const { params } = route.value;
  const [path, dir] = [params.get("play"), params.get("dir") ?? ""];
  return path ? <OpenFile key={`${dir}\n${path}`} path={path} dir={dir} hits={hits} /> : null;
}

function closePlayer(): void {
  change({ play: null, at: null, from: null, to: null });
}

function OpenFile({ path, dir, hits }: { path: string; dir: string; hits?: Hits }) {
  const panel = useRef<HTMLElement>(null);
  const screen = useRef<HTMLDivElement>(null);
  const viewing = useMemo(() => new Viewing(path, dir), []);
  const { playing } = viewing;
  const known = useLoad("", (signal) => aboutFile(path, dir, signal));
  const details = known.data?.details?.[0] ?? undefined;
  useEffect(() => {
    if (details) viewing.scenes.value = details.scenes;
    playing.setUneven(known.data?.media[0]?.is_vfr ?? false);
  }, [known.data]);
  usePlaceInAddress(viewing);
  useEffect(() => {
    void playing.feed.load();
    return () => playing.close();
  }, []);
  useSignalEffect(() => {
    // The server is back, or somebody has signed in again.
    if (connections.value >= 0 && session.value && playing.feed.failure.peek())
      void playing.feed.load();
  });
  useFocusWhileOpen(panel);
  const toFullScreen = () => fullScreen(screen.current);
  useKeys(words.player.title, playerKeys(viewing, { hits, toFullScreen, close: closePlayer }));
  const { kind } = playing.feed.playback.value ?? {};
  return (
    <section
      ref={panel}
      class={`player ${kind ?? ""}`}
      aria-label={words.player.title}
      tabIndex={-1}
      onClick={(event) => giveBackFocus(event, panel.current)}
    >
      <header>
        <h2 title={path}>{fileName(path)}</h2>
        <SourceSwitch playing={playing} />
        <button type="button" class="icon" aria-label={words.player.close} onClick={closePlayer}>
          ×
        </button>
      </header>
      <div class="main">
        <div class="screen" ref={screen}>
          <Stage viewing={viewing} />
          {kind !== "still" && <Timeline viewing={viewing} />}
          {kind !== "still" && <Controls viewing={viewing} toFullScreen={toFullScreen} />}
        </div>
        {kind !== "still" && <SceneStrip viewing={viewing} known={known} />}
      </div>
      <div class="beside">
        {kind !== "still" && <Transcript viewing={viewing} />}
        <PeopleSeen viewing={viewing} people={details?.people} />
        <Facts viewing={viewing} known={known} />
      </div>
    </section>
  );
}

function aboutFile(path: string, dir: string, signal: AbortSignal) {
  const body = { media_paths: [path], ...(dir && { cache_dir: dir, details: true }) };
  return ask(api.POST("/media/metadata", { body, signal }));
}

/** Go where the address says, and play where somebody has just clicked or pressed a key. */
function usePlaceInAddress(viewing: Viewing): void {
  const { params } = route.value;
  const [from, to] = [secondsIn(params, "from"), secondsIn(params, "to")];
  const at = secondsIn(params, "at") ?? from ?? 0;
  useEffect(() => {
    const opened: Span | null =
      from !== undefined && to !== undefined ? { start: from, end: to } : null;
    viewing.open(at, opened);
    if (navigator.userActivation?.hasBeenActive) viewing.playing.play();
  }, [at, from, to]);
}

function secondsIn(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  const seconds = text === null || text === "" ? NaN : Number(text);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

/** A button that was clicked by hand does not keep the focus: Space is to play and pause. */
function giveBackFocus(event: MouseEvent, panel: HTMLElement | null): void {
  const isByHand = event.detail > 0; // 0: by a key
  if (isByHand && event.target instanceof Element && event.target.closest("button")) {
    panel?.focus({ preventScroll: true });
  }
}

function useFocusWhileOpen(panel: { current: HTMLElement | null }): void {
  // Before styles hide what has the focus.
  useLayoutEffect(() => {
    const before = document.activeElement;
    panel.current?.focus();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
}

function fullScreen(screen: HTMLElement | null): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void screen?.requestFullscreen();
}
