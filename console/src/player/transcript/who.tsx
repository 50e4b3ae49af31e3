/** A speaker: the name, and a colour that comes back wherever they speak. Who may name people can press it. */
import { may } from "../../api/session";
import { says } from "../../words/transcript";
import type { Speaker } from "./speakers";

interface WhoProps {
  speaker: Speaker;
  isDoubtful?: boolean;
  seconds?: number; // left out: it stands at one of many segments, and Tab passes it by
  onAsk: (label: string) => void;
}

export function Who({ speaker, isDoubtful, seconds, onAsk }: WhoProps) {
  const { name, mark } = speaker;
  const title = seconds === undefined ? (isDoubtful ? says.doubt(name) : says.sure(name)) : undefined;
  const kind = `who mark-${mark}${isDoubtful ? " doubtful" : ""}`;
  const shown = (
    <>
      <span class="name">{name}</span>
      {isDoubtful && <span aria-hidden="true"> ?</span>}
      {isDoubtful && <span class="hidden">, {says.doubtful}</span>}
      {seconds !== undefined && <span class="hint"> {says.length(seconds)}</span>}
    </>
  );
  if (!may("people")) {
    return (
      <span class={kind} title={title}>
        {shown}
      </span>
    );
  }
  return (
    <button
      type="button"
      class={kind}
      title={title}
      aria-haspopup="dialog"
      tabIndex={seconds === undefined ? -1 : 0}
      onClick={() => onAsk(speaker.label)}
    >
      {shown}
    </button>
  );
}

/** Everybody who speaks in the file. */
export function Everybody({ speakers, onAsk }: { speakers: Speaker[]; onAsk: (label: string) => void }) {
  if (speakers.length === 0) return null;
  return (
    <ul class="speakers" aria-label={says.speakers}>
      {speakers.map((one) => (
        <li key={one.label}>
          <Who speaker={one} seconds={one.seconds} onAsk={onAsk} />
        </li>
      ))}
    </ul>
  );
}
