/** What the file is, and what can be copied of it. */
import type { Schemas } from "../api/client";
import { CopyButton } from "../parts/copy_button";
import type { Loaded } from "../parts/load";
import { words } from "../words";
import { timecodeAt } from "./pictures";
import type { Viewing } from "./viewing";

type Media = Schemas["MediaItem"];

interface FactsProps {
  viewing: Viewing;
  known: Loaded<Schemas["Metadata"]>;
}

export function Facts({ viewing, known }: FactsProps) {
  const media = known.data?.media[0];
  const say = words.player.facts;
  return (
    <section class="facts">
      <h3>{say.title}</h3>
      {media?.error && <p class="hint">{media.error}</p>}
      <dl>
        <Timecode viewing={viewing} media={media} />
        <dt>{say.path}</dt>
        <dd>
          <span class="path">{viewing.mediaPath}</span>{" "}
          <CopyButton what={say.copyPath} text={viewing.mediaPath} />
        </dd>
        {media && rows(media).map(([name, text]) => <Fact key={name} name={name} text={text} />)}
      </dl>
      {media?.warnings.map((one) => (
        <p key={one} class="hint">
          {one}
        </p>
      ))}
    </section>
  );
}

function Timecode({ viewing, media }: { viewing: Viewing; media?: Media }) {
  const { playing } = viewing;
  const text = timecodeAt(playing.pictures.value.begin(playing.time.value), media?.timecode);
  return (
    <>
      <dt>{words.player.facts.timecode}</dt>
      <dd>
        <span class="timecode">{text}</span>{" "}
        <CopyButton what={words.player.facts.copyTimecode} text={text} />
      </dd>
    </>
  );
}

function Fact({ name, text }: { name: string; text: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </>
  );
}

function rows(media: Media): [string, string][] {
  const say = words.player.facts;
  const { display_width: width, display_height: height } = media;
  const codecs = [media.video_codec, media.audio_codec].filter(Boolean).join(", ");
  const all: [string, string | null | undefined][] = [
    [say.size, width && height ? `${width} × ${height}` : null],
    [say.rate, media.fps && say.perSecond(media.fps, media.is_vfr)],
    [say.codec, codecs],
    [say.sound, media.audio_channels && say.channels(media.audio_channels)],
    [say.recorded, media.created_at && recorded(media.created_at)],
    [say.camera, media.camera],
    [say.reel, media.reel],
    [say.bytes, media.file_size && say.megabytes(media.file_size)],
  ].map(([name, text]) => [String(name), text ? String(text) : null]);
  return all.filter((row): row is [string, string] => Boolean(row[1]));
}

function recorded(stated: string): string {
  const date = new Date(stated);
  return Number.isNaN(date.getTime()) ? stated : words.player.facts.date(date);
}
