/** Where the picture comes from: the original or its preview, and what keeps it from coming. */
import { batch, signal } from "@preact/signals";
import { api, ask, Refusal, type Schemas } from "../api/client";
import { words } from "../words";
import { PreviewSource } from "./preview_source";

type Playback = Schemas["Playback"];
export type Source = "original" | "preview";

const FRESH_MS = 20_000; // an address that was asked for so lately is not the reason of a failure
const ATTEMPTS = 3;

interface FeedUser {
  place: () => number; // seconds at which a source begins
  onKnown: () => void; // how the file is played is known for the first time
  onNothing: () => void; // there is nothing to play
}

export class Feed {
  readonly playback = signal<Playback | null>(null);
  /** Null: nothing that this browser can play. */
  readonly source = signal<Source | null>(null);
  /** The original is nothing for this browser, by what it says or by having tried. */
  readonly isForeign = signal(false);
  readonly isWaiting = signal(false);
  readonly failure = signal<unknown>(null);
  /** The video has begun to read the source. */
  isOpen = false;

  #video: HTMLVideoElement | null = null;
  #preview: PreviewSource | undefined;
  #chosen: Source | undefined; // by the user
  #abort = new AbortController();
  #askedAt = 0;
  #attempts = 0; // since the last picture

  constructor(
    private readonly mediaPath: string,
    private readonly cacheDir: string | undefined,
    private readonly user: FeedUser,
  ) {}

  /** Ask how it can be played, and go on where it was. Failures are in `failure`. */
  async load(): Promise<void> {
    this.#abort.abort();
    const { signal } = (this.#abort = new AbortController());
    this.failure.value = null;
    this.isForeign.value = false;
    try {
      const body = { media_path: this.mediaPath, cache_dir: this.cacheDir };
      const playback = await ask(api.POST("/media/playback", { body, signal }));
      this.#askedAt = Date.now();
      const isFirst = this.playback.peek() === null;
      this.playback.value = playback;
      if (isFirst) this.user.onKnown();
      this.#start();
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  /** The element that plays; null: it is gone. */
  attach(video: HTMLVideoElement | null): void {
    this.#video = video;
    if (video) this.#start();
    else this.#preview?.close();
  }

  /** Stop all that is under way. */
  close(): void {
    this.#abort.abort();
    this.#preview?.close();
  }

  choose(source: Source): void {
    this.#chosen = source;
    this.failure.value = null;
    this.#start();
  }

  /** The place of the video is another now. */
  moveTo(seconds: number): void {
    this.#preview?.moveTo(seconds);
  }

  /** The video shows its source; false: it hears it only, and something else is tried. */
  hasBegun(video: HTMLVideoElement): boolean {
    // Some files are known by their container only: there is sound and no picture.
    const isBlind = this.playback.peek()?.kind === "video" && video.videoWidth === 0;
    if (isBlind && this.source.peek() === "original") this.#fallBack();
    else this.isOpen = true;
    return this.isOpen;
  }

  hasShown(): void {
    this.#attempts = 0;
    this.isWaiting.value = false;
    // A part of the preview had failed: it was left, or has come after all.
    if (this.isOpen) this.failure.value = null;
  }

  /** The video has failed. */
  broke(): void {
    const code = this.#video?.error?.code;
    if (code === undefined) return;
    const isFresh = Date.now() - this.#askedAt < FRESH_MS;
    const isBroken = code !== MediaError.MEDIA_ERR_NETWORK || this.#attempts >= ATTEMPTS;
    if (isFresh && isBroken) return this.#fallBack();
    // The address may have expired, or the server may be away: whoever asks again hears it.
    this.#attempts += 1;
    void this.load();
  }

  #start(): void {
    const [video, playback] = [this.#video, this.playback.peek()];
    if (!video || !playback) return;
    const { original, preview, kind } = playback;
    if (!original || kind === "still") return this.user.onNothing();
    const isForeign = this.isForeign.peek() || !canPlay(video, original.type);
    const possible: Source[] = isForeign ? [] : ["original"];
    if (PreviewSource.canPlay(preview)) possible.push("preview");
    const chosen = possible.find((one) => one === this.#chosen);
    const source = chosen ?? possible[0] ?? null;
    this.#preview?.close();
    this.#preview = undefined;
    this.isOpen = false;
    batch(() => {
      this.isForeign.value = isForeign;
      this.source.value = source;
      this.isWaiting.value = source !== null;
    });
    if (source === "original") video.src = original.url;
    else if (source === "preview" && preview) this.#preview = this.#previewOn(video, preview);
    else this.#clear(video);
  }

  #previewOn(video: HTMLVideoElement, preview: Schemas["PreviewStream"]): PreviewSource {
    const failed = (error: unknown) => this.#previewFailed(error);
    const duration = this.playback.peek()?.duration_seconds ?? 0;
    return new PreviewSource(video, preview, duration, this.user.place(), failed);
  }

  #clear(video: HTMLVideoElement): void {
    video.removeAttribute("src");
    video.load();
    this.user.onNothing();
  }

  #fallBack(): void {
    this.isOpen = false;
    if (this.source.peek() === "preview") return this.#fail(new Error(words.player.brokenPreview));
    this.isForeign.value = true;
    this.#start();
  }

  #previewFailed(error: unknown): void {
    const isOld = Date.now() - this.#askedAt > FRESH_MS;
    if (!isOld || !(error instanceof Refusal) || error.status !== 404) return this.#tell(error);
    this.#preview?.close();
    void this.load();
  }

  #fail(error: unknown): void {
    this.isOpen = false;
    this.#tell(error);
  }

  #tell(error: unknown): void {
    batch(() => {
      this.failure.value = error;
      this.isWaiting.value = false;
    });
  }
}

/** Whether this browser is likely to play a type. */
function canPlay(video: HTMLVideoElement, type: string): boolean {
  if (!/^(video|audio)\//.test(type)) return false;
  // QuickTime is what MP4 was made of: what plays in the one plays in the other.
  return video.canPlayType(type.replace("video/quicktime", "video/mp4")) !== "";
}
