/** What became of somebody who is no longer there. */
import { api, ask } from "../../api/client";
import { dir, NOBODY } from "./cast";

/** Whose part they are now; "": nobody's. */
export async function whoBecame(collection: string, id: string, signal?: AbortSignal): Promise<string> {
  const where = { cache_dir: dir.peek(), cluster_job_name: collection };
  const more = signal ? { signal } : {};
  const body = { ...where, cluster_id: id, limit: 1 };
  const { faces } = await ask(api.POST("/faces/clusters/faces", { body, ...more }));
  const now = faces[0]?.cluster_id ?? (await ofVoices());
  return now === id || now === NOBODY ? "" : now;

  /** Of somebody who is only heard: whose the voice is in its file. */
  async function ofVoices(): Promise<string> {
    const { voices } = await ask(api.POST("/faces/clusters/voices", { body, ...more }));
    const { media_path, voice_id } = voices[0] ?? {};
    if (!media_path) return NOBODY;
    const { speakers } = await ask(api.POST("/faces/voices/of", { body: { ...where, media_path }, ...more }));
    return speakers.find((one) => one.voice_id === voice_id)?.cluster_id ?? NOBODY;
  }
}
