/** What is said in the file, or why nothing is to be read. */
import { api, ask } from "../api/client";
import { useLoad } from "../parts/load";
import { Failure } from "../parts/notice";
import { words } from "../words";
import { SegmentList } from "./segment_list";
import type { Viewing } from "./viewing";

export function Transcript({ viewing }: { viewing: Viewing }) {
  return (
    <section class="transcript">
      <h3>{words.player.transcript}</h3>
      <Content viewing={viewing} />
    </section>
  );
}

function Content({ viewing }: { viewing: Viewing }) {
  const { mediaPath, cacheDir } = viewing;
  const { data, error, again } = useLoad("", (signal) => transcriptOf(mediaPath, cacheDir, signal));
  if (error) return <Failure error={error} again={again} />;
  if (data === undefined) return <p class="wait">{words.loading}</p>;
  if (!data?.segments) return <p class="hint">{data?.error ?? words.player.noTranscript}</p>;
  if (data.segments.length === 0) return <p class="hint">{words.player.nothingSaid}</p>;
  return <SegmentList viewing={viewing} spoken={data} />;
}

/** Null: no cache folder is known, in which there could be one. */
async function transcriptOf(path: string, dir: string, signal: AbortSignal) {
  if (!dir) return null;
  const body = { cache_dir: dir, media_paths: [path], words: true };
  const { transcriptions } = await ask(api.POST("/transcriptions", { body, signal }));
  return transcriptions[0] ?? null;
}
