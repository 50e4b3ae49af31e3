/** The ranges one after the other, as a file that an editing system opens. */
import { useSignal } from "@preact/signals";
import { api, ask, type Schemas } from "../api/client";
import { useDoing } from "../parts/doing";
import { kept } from "../parts/kept";
import { Failure } from "../parts/notice";
import { Select } from "../parts/select";
import { safeName, save } from "../parts/saving";
import { fileName } from "../parts/times";
import { words } from "../words";
import type { Range } from "./basket";
import { ExactCuts, exactCuts } from "./exact_cuts";
import { inFolder, oneFolder } from "./folders";
import { output, OutputPlace, usualFolder } from "./output";
import { SavedFiles, type SavedFile } from "./saved_files";

type Format = Schemas["TimelineFormat"];
const EXTENSIONS: Record<Format, string> = {
  xmeml: "xml",
  fcpxml: "fcpxml",
  edl: "edl",
  otio: "otio",
};
const options = kept("rushes-export-timeline", {
  format: "xmeml" as Format,
  name: "Rushes Export",
});

export function TimelineExport({ ranges }: { ranges: Range[] }) {
  const { isBusy, error, run } = useDoing();
  const made = useSignal<SavedFile | null>(null);
  const say = words.basket;
  const { format, name } = options.value;
  const submit = (event: Event) => {
    event.preventDefault();
    made.value = null;
    void run(async () => {
      made.value = await timelineOf(ranges);
    });
  };
  return (
    <form onSubmit={submit}>
      <Select
        label={say.format}
        options={say.timelines}
        value={format}
        onChange={(next) => (options.value = { ...options.value, format: next })}
      />
      <label>
        {say.name}
        <input
          type="text"
          required
          maxLength={200}
          value={name}
          onInput={(event) =>
            (options.value = { ...options.value, name: event.currentTarget.value })
          }
        />
      </label>
      <OutputPlace />
      <ExactCuts ranges={ranges} />
      {oneFolder(ranges) === undefined && <p class="hint">{say.severalFoldersAway}</p>}
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy.value ? say.exporting : say.exportTimeline}
      </button>
      {error.value != null && <Failure error={error.value} />}
      {made.value && <SavedFiles files={[made.value]} />}
    </form>
  );
}

async function timelineOf(ranges: Range[]): Promise<SavedFile> {
  const { format, name } = options.peek();
  const folder = oneFolder(ranges);
  const file = `${safeName(name)}.${EXTENSIONS[format]}`;
  const { place, makesFolder } = output.peek();
  const body = {
    clips: ranges.map(({ mediaPath, start, end }) => ({
      media_path: mediaPath,
      start_time: start,
      end_time: end,
    })),
    sequence_name: name,
    format,
    ...(folder && { cache_dir: folder, exact_cuts: exactCuts.peek().on }),
    ...(place === "disk" && {
      output_path: inFolder(usualFolder(), file),
      create_dir: makesFolder,
    }),
  };
  const made = await ask(api.POST("/export/premiere-xml", { body }));
  const warnings = made.warnings.map(({ index, message }) => {
    const path = index === null ? undefined : ranges[index]?.mediaPath;
    return path === undefined
      ? message
      : words.basket.ofClip((index ?? 0) + 1, fileName(path), message);
  });
  if (made.output_path)
    return { name: fileName(made.output_path), path: made.output_path, warnings };
  const content = new Blob([made.xml ?? made.text ?? ""]);
  save(content, file);
  return { name: file, content, warnings };
}
