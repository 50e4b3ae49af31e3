/** The first picture of a range: under the address that it came with, else asked for. */
import { useSignal } from "@preact/signals";
import { api, ask } from "../api/client";
import { useLoad } from "../parts/load";
import type { Range } from "./basket";

export function RangePicture({ range }: { range: Range }) {
  const isOld = useSignal(false); // an address holds for an hour
  if (!range.imageUrl || isOld.value) return <Asked range={range} />;
  return <img src={range.imageUrl} alt="" onError={() => (isOld.value = true)} />;
}

function Asked({ range: { cacheDir, mediaPath, start } }: { range: Range }) {
  const picture = useLoad(`${cacheDir}\n${mediaPath}\n${Math.floor(start)}`, async (signal) => {
    if (!cacheDir) return null;
    const requests = [{ media_path: mediaPath, time_seconds: Math.floor(start) }];
    const asked = { body: { cache_dir: cacheDir, requests }, signal };
    return (await ask(api.POST("/thumbnails", asked))).thumbnails[0]?.thumbnail ?? null;
  });
  if (!picture.data) return <span class="empty" />;
  return <img src={`data:image/jpeg;base64,${picture.data}`} alt="" />;
}
