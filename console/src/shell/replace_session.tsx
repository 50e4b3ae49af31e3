/** Asks before a link replaces the session: any page may lead a browser to a link of its own key. */
import { sentence } from "../api/client";
import { pendingLink, signIn } from "../api/session";
import { Dialog } from "../parts/dialog";
import { useDoing } from "../parts/doing";
import { words } from "../words";

export function ReplaceSession() {
  const { isBusy, error, run } = useDoing();
  const pending = pendingLink.value;
  if (!pending) return null;
  const close = () => void (pendingLink.value = null);

  async function replace(link: string): Promise<void> {
    await signIn({ link, replace: true });
    close();
  }

  return (
    <Dialog title={words.session.replace} onClose={close}>
      <p>{pending.question}</p>
      {error.value != null && (
        <p class="error" role="alert">
          {sentence(error.value)}
        </p>
      )}
      <div class="choices">
        <button type="button" class="primary" disabled={isBusy} onClick={() => void run(() => replace(pending.link))}>
          {words.session.enter}
        </button>
        <button type="button" onClick={close}>
          {words.cancel}
        </button>
      </div>
    </Dialog>
  );
}
