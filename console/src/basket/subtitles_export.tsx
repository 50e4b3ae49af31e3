/** What is said in the ranges, as subtitles: a file for each media file. */
import { useSignal } from "@preact/signals";
import { useDoing } from "../parts/doing";
import { kept } from "../parts/kept";
import { Failure } from "../parts/notice";
import { Select } from "../parts/select";
import { save } from "../parts/saving";
import { words } from "../words";
import type { Range } from "./basket";
import { output, OutputPlace, usualFolder } from "./output";
import { SavedFiles, type SavedFile } from "./saved_files";
import { subtitlesOf, type SubtitleFormat } from "./subtitles";

const options = kept("rushes-export-subtitles", { format: "srt" as SubtitleFormat });

export function SubtitlesExport({ ranges }: { ranges: Range[] }) {
  const { isBusy, error, run } = useDoing();
  const made = useSignal<SavedFile[]>([]);
  const say = words.basket;
  const { format } = options.value;
  const submit = (event: Event) => {
    event.preventDefault();
    made.value = [];
    void run(async () => {
      const folder = output.peek().place === "disk" ? usualFolder() : undefined;
      for await (const file of subtitlesOf(ranges, format, folder)) {
        made.value = [...made.value, file];
      }
      const [only, more] = made.value.filter(({ content }) => content);
      if (only?.content && !more) save(only.content, only.name);
    });
  };
  return (
    <form onSubmit={submit}>
      <Select
        label={say.format}
        options={say.subtitles}
        value={format}
        onChange={(next) => (options.value = { format: next })}
      />
      <OutputPlace />
      <p class="hint">{say.subtitleTimes}</p>
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy.value ? say.exporting : say.exportSubtitles}
      </button>
      {error.value != null && <Failure error={error.value} />}
      {made.value.length > 0 && <SavedFiles files={made.value} />}
    </form>
  );
}
