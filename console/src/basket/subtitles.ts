/** Subtitles of ranges: transcripts of their files, cut to them. */
import { api, ask, type Schemas } from "../api/client";
import { safeName } from "../parts/saving";
import { cut, segmentsOf, type Spoken } from "../parts/segments";
import { fileName } from "../parts/times";
import { words } from "../words";
import type { Range } from "./basket";
import { inFolder } from "./folders";
import { output } from "./output";
import type { SavedFile } from "./saved_files";

export type SubtitleFormat = "srt" | "vtt" | "txt";

/** One file after the other; `folder`: on the server, else they are for the browser to save. */
export async function* subtitlesOf(
  ranges: Range[],
  format: SubtitleFormat,
  folder: string | undefined,
): AsyncGenerator<SavedFile> {
  const files = new Set(ranges.map(({ cacheDir, mediaPath }) => `${cacheDir}\n${mediaPath}`));
  for (const file of files) {
    const ofFile = ranges.filter((one) => `${one.cacheDir}\n${one.mediaPath}` === file);
    yield await fileOf(ofFile, format, folder);
  }
}

async function fileOf(
  ranges: Range[],
  format: SubtitleFormat,
  folder?: string,
): Promise<SavedFile> {
  const { cacheDir, mediaPath } = ranges[0]!;
  const name = fileName(mediaPath);
  const spoken = cacheDir ? await transcriptOf(cacheDir, mediaPath) : undefined;
  if (!spoken?.segments) return { name, warnings: [spoken?.error ?? words.player.noTranscript] };
  const segments = joined(ranges).flatMap((range) => cut(segmentsOf(spoken), range));
  if (segments.length === 0) return { name, warnings: [words.basket.nothingSaid] };
  return written(segments, { name, format, folder, language: spoken.language });
}

async function transcriptOf(dir: string, path: string) {
  const body = { cache_dir: dir, media_paths: [path], words: true };
  return (await ask(api.POST("/transcriptions", { body }))).transcriptions[0];
}

/** In order, those that overlap as one, so that nothing is said twice. */
function joined(ranges: Range[]): { start: number; end: number }[] {
  const result: { start: number; end: number }[] = [];
  for (const { start, end } of ranges.toSorted((one, other) => one.start - other.start)) {
    const last = result.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else result.push({ start, end });
  }
  return result;
}

interface Wanted {
  name: string;
  format: SubtitleFormat;
  folder?: string;
  language: Schemas["Transcription"]["language"];
}

async function written(segments: Spoken[], wanted: Wanted): Promise<SavedFile> {
  const { name, format, folder, language } = wanted;
  const file = `${safeName(name.replace(/\.[^.]+$/, ""))}.${format}`;
  const body = {
    segments: segments.map(({ start, text, end }) => [start, text, end]),
    format,
    display_name: name,
    ...(language && { language }),
    ...(format !== "txt" && { captions: {} }),
  };
  if (folder === undefined) {
    const content = (await ask(api.POST("/export/transcript", { body, parseAs: "blob" }))) as Blob;
    return { name: file, content, warnings: [] };
  }
  const create_dir = output.peek().makesFolder;
  const toDisk = { ...body, output_path: inFolder(folder, file), create_dir };
  const made = await ask(api.POST("/export/transcript", { body: toDisk }));
  const { output_path, warnings } = made as Schemas["ExportedTranscript"];
  return { name: fileName(output_path), path: output_path, warnings };
}
