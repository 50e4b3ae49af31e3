/** Faces and voices that may be one person, as they are seen and heard together. Somebody decides, never the page. */
import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { api, ask, warningsOf, type Schemas } from "../../api/client";
import { useLoad } from "../../parts/load";
import { Failure } from "../../parts/notice";
import { says } from "../../words/people";
import { Face } from "../grid/face";
import { byId, type Cast, dir } from "../state/cast";
import { isChanging, keepApart, known, merge } from "../state/changes";
import { wantPictures } from "../state/face_pictures";
import { hrefToPerson } from "../state/places";

type Proposal = Schemas["ProposalItem"];

const FIRST = 3; // shown until somebody asks for more
const NAMED_FILES = 5; // at most, of a proposal
/** Put off for as long as this window is open. */
const later = signal<ReadonlySet<string>>(new Set());

export function Proposals({ cast }: { cast: Cast }) {
  const voices = cast.people.reduce((sum, one) => sum + one.voices, 0);
  return voices > 0 ? <Found cast={cast} voices={voices} /> : null;
}

function Found({ cast, voices }: { cast: Cast; voices: number }) {
  const { collection, lastEdit } = cast;
  const title = useRef<HTMLHeadingElement>(null);
  const isAll = useSignal(false);
  // While it is asked anew, what was there stays, but for whom it has become untrue.
  const before = useRef<Asked>({ proposals: [], warnings: [] });
  const load = (signal: AbortSignal) => proposalsOf(collection, signal);
  const found = useLoad(`${lastEdit}\n${voices}\n${cast.faces}`, load);
  before.current = found.data ?? before.current;
  const { proposals, warnings } = before.current;
  const open = proposals.filter((one) => {
    const isThere = byId.value.has(one.face_cluster_id) && byId.value.has(one.voice_cluster_id);
    return isThere && !later.value.has(keyOf(collection, one));
  });
  const shown = isAll.value ? open : open.slice(0, FIRST);
  const ids = shown.map((one) => one.face_cluster_id);
  useEffect(() => {
    wantPictures("proposals", ids.flatMap((id) => byId.peek().get(id) ?? []));
    return () => wantPictures("proposals", []);
  }, [ids.join()]);

  /** The buttons go with the proposal: the focus goes to what stays. */
  function answered(): void {
    requestAnimationFrame(() => {
      const next = title.current ?? document.querySelector<HTMLElement>(".faces-grid .face-link[tabindex='0']");
      next?.focus({ preventScroll: true });
    });
  }

  if (found.error != null) return <Failure error={found.error} again={found.again} />;
  if (open.length === 0 && warnings.length === 0) return null;
  return (
    <section class="proposed" aria-labelledby="proposed-title">
      <h2 id="proposed-title" ref={title} tabIndex={-1}>
        {says.proposals.title}
      </h2>
      {open.length > 0 && <p class="hint">{says.proposals.hint}</p>}
      {warnings.map((one) => (
        <p key={one} class="hint">
          {one}
        </p>
      ))}
      <ul>
        {shown.map((one) => (
          <Item key={keyOf(collection, one)} cast={cast} proposal={one} onAnswer={answered} />
        ))}
      </ul>
      {open.length > shown.length && (
        <button type="button" onClick={() => (isAll.value = true)}>
          {says.proposals.more(open.length - shown.length)}
        </button>
      )}
    </section>
  );
}

interface ItemProps {
  cast: Cast;
  proposal: Proposal;
  onAnswer: () => void;
}

function Item({ cast, proposal, onAnswer }: ItemProps) {
  const { face_cluster_id: face, voice_cluster_id: voice, media_paths: paths } = proposal;
  const say = says.proposals;
  const [seen, heard] = [byId.value.get(face), byId.value.get(voice)];
  if (!seen || !heard) return null;
  const names = say.pair(seen.name || says.unnamed, heard.name || says.unnamed);

  async function join(): Promise<void> {
    const target = heard?.name && !seen?.name ? voice : face; // the name stays
    if (await merge([face, voice], target, known())) onAnswer();
  }

  async function part(): Promise<void> {
    if (await keepApart(face, voice, known())) onAnswer();
  }

  function putOff(): void {
    later.value = new Set([...later.peek(), keyOf(cast.collection, proposal)]);
    onAnswer();
  }

  const link = (id: string, name: string, tab = "") => (
    <a href={`${hrefToPerson(dir.value, cast.collection, id)}${tab}`}>{name || says.unnamed}</a>
  );
  return (
    <li>
      <div role="group" aria-label={names}>
        <Face person={seen} />
        <div>
          <p>{say.ask(proposal.seconds_together, paths.length, paths.length >= NAMED_FILES)}</p>
          <p class="hint" title={paths.join("\n")}>
            {say.face} {link(face, seen.name)} · {say.voice} {link(voice, heard.name, "&tab=voices")} · {say.share(proposal.share)}
          </p>
          <div class="choices">
            <button type="button" class="primary" disabled={isChanging} onClick={() => void join()}>
              {say.same}
            </button>
            <button type="button" disabled={isChanging} onClick={() => void part()}>
              {say.different}
            </button>
            <button type="button" class="quiet" onClick={putOff}>
              {say.later}
            </button>
          </div>
        </div>
      </div>
    </li>
  );
}

const keyOf = (collection: string, { face_cluster_id: face, voice_cluster_id: voice }: Proposal): string =>
  [dir.peek(), collection, face, voice].join("\n");

interface Asked {
  proposals: Proposal[];
  warnings: string[]; // why some are missing
}

async function proposalsOf(collection: string, signal: AbortSignal): Promise<Asked> {
  const query = { cache_dir: dir.peek(), cluster_job_name: collection };
  const answer = api.GET("/faces/proposals", { params: { query }, signal });
  const { proposals } = await ask(answer);
  return { proposals, warnings: warningsOf((await answer).response) };
}
