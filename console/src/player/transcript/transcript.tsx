/** What is said in the file and who says it, or why nothing is to be read. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { api, ask, type Schemas } from "../../api/client";
import { type Loaded, useLoad } from "../../parts/load";
import { Failure } from "../../parts/notice";
import { MessageBar } from "../../people/message_bar";
import { cast, lookedAt } from "../../people/state/cast";
import { words } from "../../words";
import { says } from "../../words/transcript";
import type { Viewing } from "../viewing";
import { Naming } from "./naming";
import { SegmentList } from "./segment_list";
import { speakersOf } from "./speakers";
import { Everybody } from "./who";

type Transcription = Schemas["Transcription"];

export function Transcript({ viewing }: { viewing: Viewing }) {
  return (
    <section class="transcript">
      <h3>{says.title}</h3>
      <Content viewing={viewing} />
    </section>
  );
}

function Content({ viewing }: { viewing: Viewing }) {
  const { mediaPath, cacheDir } = viewing;
  const loaded = useLoad("", (signal) => transcriptOf(mediaPath, cacheDir, signal));
  const { data, error, again } = loaded;
  const chosen = useSignal<number | null>(null); // a track of captions; -1: what was heard
  useWhoAnew(loaded);
  if (error) return <Failure error={error} again={again} />;
  if (data === undefined) return <p class="wait">{words.loading}</p>;
  const tracks = data?.captions ?? [];
  const shown = chosen.value ?? (data?.segments || tracks.length === 0 ? -1 : 0);
  const track = tracks[shown];
  return (
    <>
      {tracks.length > 0 && (
        <select
          class="texts"
          aria-label={says.texts}
          value={shown}
          onChange={(event) => (chosen.value = Number(event.currentTarget.value))}
        >
          <option value={-1}>{says.heard}</option>
          {tracks.map(({ kind, language, title, service }, n) => (
            <option key={n} value={n}>
              {says.track(kind, language ?? "", title ?? "", service ?? "")}
            </option>
          ))}
        </select>
      )}
      <Hints lines={data?.caption_warnings} />
      {track ? <SegmentList key={shown} viewing={viewing} spoken={track} /> : <Heard viewing={viewing} spoken={data} />}
    </>
  );
}

function Heard({ viewing, spoken }: { viewing: Viewing; spoken: Transcription | null }) {
  const speakers = useMemo(() => (spoken ? speakersOf(spoken) : new Map<string, never>()), [spoken]);
  const asked = useSignal<string | null>(null); // the label of a speaker
  const isTold = useSignal(false); // something may have been said about them
  const speaker = speakers.get(asked.value ?? "");
  const ask = (label: string) => (asked.value = label);
  if (!spoken?.segments) return <p class="hint">{spoken?.error ?? words.player.noTranscript}</p>;
  if (spoken.segments.length === 0) return <p class="hint">{says.nothingSaid}</p>;
  return (
    <>
      <Hints lines={spoken.speaker_warnings} />
      <Everybody speakers={[...speakers.values()]} onAsk={ask} />
      <SegmentList viewing={viewing} spoken={spoken} speakers={speakers} onAsk={ask} />
      {speaker && (
        <Naming
          viewing={viewing}
          speaker={speaker}
          onClose={() => {
            asked.value = null;
            isTold.value = true;
          }}
        />
      )}
      {isTold.value && <MessageBar />}
    </>
  );
}

function Hints({ lines }: { lines?: string[] | null }) {
  return lines?.map((one) => (
    <p key={one} class="hint">
      {one}
    </p>
  ));
}

/** Names are asked for again when somebody has changed the people. */
function useWhoAnew({ data, again }: Loaded<Transcription | null>): void {
  const edit = lookedAt.value === null ? null : (cast.value?.lastEdit ?? null);
  const before = useRef(edit);
  useEffect(() => () => void (lookedAt.value = null), []);
  useEffect(() => {
    if (data && before.current !== null && edit !== null && edit !== before.current) again();
    before.current = edit ?? before.current;
  }, [edit]);
}

/** Null: no cache folder is known, in which there could be one. */
async function transcriptOf(path: string, dir: string, signal: AbortSignal) {
  if (!dir) return null;
  const body = { cache_dir: dir, media_paths: [path], words: true, speakers: true, captions: true };
  const { transcriptions } = await ask(api.POST("/transcriptions", { body, signal }));
  return transcriptions[0] ?? null;
}
