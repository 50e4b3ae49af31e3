/** The ranges as media files in a folder of the server. */
import { api, ask, type Schemas } from "../api/client";
import { useDoing } from "../parts/doing";
import { kept } from "../parts/kept";
import { Failure } from "../parts/notice";
import { Select } from "../parts/select";
import { words } from "../words";
import type { Range } from "./basket";
import { clipTask } from "./clips_task";
import { ExactCuts, exactCuts } from "./exact_cuts";
import { oneFolder } from "./folders";
import { output, OutputFolder, usualFolder } from "./output";

type Mode = Schemas["ClipMode"];
const options = kept("rushes-export-clips", { mode: "auto" as Mode, handles: 0 });

export function ClipsExport({ ranges }: { ranges: Range[] }) {
  const { isBusy, error, run } = useDoing();
  const say = words.basket;
  const { mode, handles } = options.value;
  const set = (changes: Partial<typeof options.value>) =>
    (options.value = { ...options.value, ...changes });
  const submit = (event: Event) => {
    event.preventDefault();
    void run(() => begin(ranges));
  };
  return (
    <form onSubmit={submit}>
      <OutputFolder />
      <Select label={say.mode} options={say.modes} value={mode} onChange={(next) => set({ mode: next })} />
      <label>
        {say.handles}
        <input
          type="number"
          min="0"
          max="3600"
          step="any"
          // What is typed stays as it is typed: "1." is on its way to be a number.
          defaultValue={String(handles)}
          onChange={(event) => set({ handles: event.currentTarget.valueAsNumber || 0 })}
        />
      </label>
      <ExactCuts ranges={ranges} />
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy.value ? say.exporting : say.exportClips(ranges.length)}
      </button>
      {error.value != null && <Failure error={error.value} />}
    </form>
  );
}

async function begin(ranges: Range[]): Promise<void> {
  const { mode, handles } = options.peek();
  const folder = oneFolder(ranges);
  const body = {
    clips: ranges.map(({ mediaPath, start, end }) => ({
      media_path: mediaPath,
      start_time: start,
      end_time: end,
    })),
    output_dir: usualFolder(),
    create_dir: output.peek().makesFolder,
    mode,
    handle_seconds: handles,
    background: true,
    ...(folder && { cache_dir: folder, exact_cuts: exactCuts.peek().on }),
  };
  const accepted = await ask(api.POST("/export/clips", { body }));
  if ("task_id" in accepted) clipTask.value = { id: accepted.task_id };
}
