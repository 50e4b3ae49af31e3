/** Who is seen in the file, each with a picture where there is one. */
import { api, ask, type Schemas } from "../api/client";
import { useLoad } from "../parts/load";
import { secondsOf } from "../parts/times";
import { words } from "../words";
import type { Viewing } from "./viewing";

type Person = Schemas["PersonInFile"];
const MANY = 40; // shown; who is seen longest comes first

export function PeopleSeen({ viewing, people }: { viewing: Viewing; people?: Person[] }) {
  if (!people || people.length === 0) return null;
  const shown = people.slice(0, MANY);
  return (
    <section class="people">
      <h3>{words.player.people(people.length)}</h3>
      <Faces viewing={viewing} people={shown} />
      {people.length > MANY && <p class="hint">{words.player.morePeople(people.length - MANY)}</p>}
    </section>
  );
}

function Faces({ viewing, people }: { viewing: Viewing; people: Person[] }) {
  const key = people.map(idOf).join(" ");
  const faces = useLoad(key, (signal) => facesOf(viewing.cacheDir, people, signal));
  return (
    <ul>
      {people.map((person) => {
        const image = faces.data?.get(idOf(person));
        return (
          <li key={idOf(person)}>
            <button
              type="button"
              title={words.player.seenFor(person.seconds)}
              onClick={() => viewing.playing.seek(secondsOf(person.first_timestamp) ?? 0)}
            >
              {image ? (
                <img src={`data:image/jpeg;base64,${image}`} alt="" />
              ) : (
                <span class="empty" />
              )}
              <span>{person.name ?? words.player.unnamed}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function idOf({ cluster_job_name: job, cluster_id: id }: Person): string {
  return `${encodeURIComponent(job)}/${id}`;
}

/** A face of each person, as base64. */
async function facesOf(dir: string, people: Person[], signal: AbortSignal) {
  const found = new Map<string, string>();
  for (const job of new Set(people.map((one) => one.cluster_job_name))) {
    const ofJob = people.filter((one) => one.cluster_job_name === job);
    const cluster_ids = ofJob.map((one) => one.cluster_id);
    const body = { cache_dir: dir, cluster_job_name: job, cluster_ids, samples_per_cluster: 1 };
    const { samples } = await ask(api.POST("/faces/clusters/samples", { body, signal }));
    for (const person of ofJob) {
      const image = samples[person.cluster_id]?.[0]?.image;
      if (image) found.set(idOf(person), image);
    }
  }
  return found;
}
