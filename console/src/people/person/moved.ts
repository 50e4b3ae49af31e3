/** Which faces and voices others have moved while somebody selects. */
import { api, ask, Refusal } from "../../api/client";
import { dir } from "../state/cast";

const MOST = 50; // edits to look at

/** What was moved after that edit, by ids; null: it is not known, as more was changed than that. */
export async function movedSince(collection: string, edit: string): Promise<ReadonlySet<string> | null> {
  const query = { cache_dir: dir.peek(), cluster_job_name: collection, limit: MOST };
  try {
    const { edits } = await ask(api.GET("/faces/edits", { params: { query } }));
    const at = edits.findIndex(({ edit_id }) => edit_id === edit);
    const later = edits.slice(at + 1);
    const isAll = at >= 0 || (edit === "" && edits.length < MOST);
    if (!isAll || later.some(({ kind }) => kind === "undo")) return null;
    return new Set(later.flatMap(({ moves }) => moves.flatMap(({ face_ids, voice_ids }) => [...face_ids, ...(voice_ids ?? [])])));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return null;
  }
}
