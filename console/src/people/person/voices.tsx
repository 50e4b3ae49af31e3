/** The voices of a person, one for each file in which they speak; those of somebody else are moved away. */
import { useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { api, ask, type Schemas } from "../../api/client";
import { may } from "../../api/session";
import { type Key, useKeys } from "../../keys";
import { Icon } from "../../parts/icon";
import { useLoad } from "../../parts/load";
import { Failure, Notice } from "../../parts/notice";
import { fileName, timeText } from "../../parts/times";
import { hrefOf, route } from "../../route";
import { words } from "../../words";
import { says } from "../../words/people";
import { dir } from "../state/cast";
import { Selection } from "../state/selection";
import { useParting } from "./parting";

type Voice = Schemas["VoiceItem"];

interface VoicesProps {
  collection: string;
  id: string;
  name: string;
  edition: string; // changes whenever the voices may be others
}

const PAGE = 50;

export function Voices({ collection, id, name, edition }: VoicesProps) {
  const selection = useMemo(() => new Selection(), []);
  const list = useRef<HTMLUListElement>(null);
  const wanted = useSignal(PAGE);
  // While it is asked anew, what was there stays.
  const shown = useRef<Found | null>(null);
  const load = (signal: AbortSignal) => voicesOf(collection, id, wanted.value, signal);
  const found = useLoad(`${edition}\n${wanted.value}`, load);
  shown.current = found.data ?? shown.current;
  const onMoved = () => list.current?.querySelector("input")?.focus();
  const parting = useParting({ kind: "voices", collection, id, selection, edition, onMoved });
  const toggle: Key = { keys: ["x"], what: says.keys.select, run: () => focusedVoice(selection) };
  const keys = may("people") ? [toggle, ...parting.keys] : [];
  useKeys(says.keys.voices, route.value.params.has("play") ? [] : keys);

  const failed = found.error != null && <Failure error={found.error} again={found.again} />;
  if (!shown.current) return failed || <p class="wait">{words.loading}</p>;
  const { voices, next } = shown.current;
  return (
    <>
      {failed}
      {voices.length === 0 && <Notice title={says.person.noVoices} />}
      <ul ref={list} class="voices" aria-label={says.person.voicesOf(name)}>
        {voices.map((voice) => (
          <VoiceRow key={voice.voice_id} voice={voice} selection={selection} />
        ))}
      </ul>
      {next && (
        <button type="button" onClick={() => (wanted.value += PAGE)}>
          {says.person.moreVoices}
        </button>
      )}
      {parting.acts}
    </>
  );
}

function VoiceRow({ voice, selection }: { voice: Voice; selection: Selection }) {
  const { voice_id: id, speaker, seconds, text, excerpt } = voice;
  const file = voice.media_path ? fileName(voice.media_path) : "";
  const href = excerptOf(voice);
  const isSelected = selection.has(id);
  return (
    <li class={isSelected ? "selected" : ""} data-voice={id}>
      {may("people") && (
        <input
          type="checkbox"
          checked={isSelected}
          aria-label={says.person.selectVoice(speaker, file)}
          onChange={() => selection.toggle(id)}
        />
      )}
      {href && (
        <a
          class="button icon"
          href={href}
          aria-label={says.person.playVoice(file, timeText(excerpt.start_seconds, true))}
        >
          <Icon of="play" />
        </a>
      )}
      <div>
        <p>{text ? `“${text}”` : <span class="hint">{says.person.noText}</span>}</p>
        <p class="hint" title={voice.media_path ?? undefined}>
          {[file, says.person.voiceFacts(speaker, seconds)].filter(Boolean).join(" · ")}
        </p>
      </div>
    </li>
  );
}

/** The address that plays what they say longest. */
function excerptOf({ media_path: path, excerpt }: Voice): string | undefined {
  if (!path) return undefined;
  const { page, params } = route.value;
  const next = new URLSearchParams(params);
  const [start, end] = [String(excerpt.start_seconds), String(excerpt.end_seconds)];
  for (const [name, value] of Object.entries({ play: path, at: start, from: start, to: end })) next.set(name, value);
  return hrefOf(page, next);
}

function focusedVoice(selection: Selection): void {
  const row = document.activeElement?.closest<HTMLElement>("[data-voice]");
  if (row?.dataset.voice) selection.toggle(row.dataset.voice);
}

interface Found {
  voices: Voice[];
  next?: string;
}

/** At least so many, where there are. */
async function voicesOf(collection: string, id: string, wanted: number, signal: AbortSignal): Promise<Found> {
  const where = { cache_dir: dir.peek(), cluster_job_name: collection, cluster_id: id };
  const voices: Voice[] = [];
  let next: string | undefined;
  do {
    const body = { ...where, limit: PAGE, after: next };
    const page = await ask(api.POST("/faces/clusters/voices", { body, signal }));
    voices.push(...page.voices);
    next = page.next ?? undefined;
  } while (next && voices.length < wanted);
  return { voices, next };
}
