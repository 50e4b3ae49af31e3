/** What became of each clip: its file, or the reason why there is none. */
import type { Schemas } from "../api/client";
import { fileName } from "../parts/times";
import { words } from "../words";

export function ClipResults({ clips }: { clips: Schemas["ClipsOfTask"] }) {
  return (
    <ul class="results">
      {clips.failed.map(({ index, media_path, error }) => (
        <li key={`failed ${index}`} class="failed">
          <strong>{words.basket.failedClip(index + 1, fileName(media_path))}</strong> {error}
        </li>
      ))}
      {clips.exported.map((clip) => (
        <li key={clip.index}>
          <span title={clip.output_path}>{fileName(clip.output_path)}</span>{" "}
          {clip.download_url && (
            <a href={clip.download_url} download={fileName(clip.output_path)}>
              {words.basket.download}
            </a>
          )}
          {clip.warnings.map((one) => (
            <span key={one} class="hint">
              {one}
            </span>
          ))}
        </li>
      ))}
    </ul>
  );
}
