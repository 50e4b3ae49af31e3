/** What became of somebody who is no longer there. */
import { api, ask } from "../../api/client";
import { dir, NOBODY } from "./cast";

/** Whose part they are now; "": nobody's. */
export async function whoBecame(collection: string, id: string, signal?: AbortSignal): Promise<string> {
  const body = { cache_dir: dir.peek(), cluster_job_name: collection, cluster_id: id, limit: 1 };
  const { faces } = await ask(api.POST("/faces/clusters/faces", { body, ...(signal && { signal }) }));
  const now = faces[0]?.cluster_id ?? NOBODY;
  return now === id || now === NOBODY ? "" : now;
}
