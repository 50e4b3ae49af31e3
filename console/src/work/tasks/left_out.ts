/** Files that are left out of a library. */
import { api, ask } from "../../api/client";

const PAGE = 200;

/** Leave files out, or take them back; a sentence about what was done. */
export async function leaveOut(library: string, paths: string[], isOut: boolean): Promise<string> {
  const body = { cache_dir: library, media_paths: paths, left_out: isOut };
  return (await ask(api.POST("/analysis-data/left-out", { body }))).message;
}

export function leftOutOf(library: string, after: string | undefined, signal?: AbortSignal) {
  const query = { cache_dir: library, limit: PAGE, after };
  return ask(api.GET("/analysis-data/left-out", { params: { query }, signal }));
}
