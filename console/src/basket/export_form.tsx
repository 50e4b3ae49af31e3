/** What can be made of the basket: clips, a timeline, subtitles. */
import { may, session } from "../api/session";
import { kept } from "../parts/kept";
import { Choice } from "../parts/choice";
import { words } from "../words";
import { basket } from "./basket";
import { ClipsExport } from "./clips_export";
import { ClipsTask } from "./clips_task";
import { SubtitlesExport } from "./subtitles_export";
import { TimelineExport } from "./timeline_export";

const kinds = { clips: ClipsExport, timeline: TimelineExport, subtitles: SubtitlesExport };
const chosen = kept<{ kind: keyof typeof kinds }>("rushes-export-kind", { kind: "clips" });

export function ExportForm() {
  // Where a session has ended, what was chosen stays behind the sign-in.
  if (session.value && !may("export")) {
    return <p class="notice">{words.session.lacks("export")}</p>;
  }
  const { kind } = chosen.value;
  const Kind = kinds[kind];
  return (
    <section class="export" aria-labelledby="export-title">
      {basket.value.length > 0 && (
        <>
          <h2 id="export-title">{words.basket.export}</h2>
          <Choice
            label={words.basket.what}
            options={words.basket.kinds}
            value={kind}
            onChange={(next) => (chosen.value = { kind: next })}
          />
          <Kind ranges={basket.value} />
        </>
      )}
      <ClipsTask />
    </section>
  );
}
