/** Sign in by key; over the page where a session has ended, so that nothing typed is lost. */
import { useSignal } from "@preact/signals";
import { sentence } from "../api/client";
import { hasEnded, signIn } from "../api/session";
import { Dialog } from "../parts/dialog";
import { words } from "../words";

export function SignIn({ refused }: { refused?: string }) {
  const key = useSignal("");
  const error = useSignal("");
  const isBusy = useSignal(false);

  async function enter(event: Event): Promise<void> {
    event.preventDefault();
    if (!key.value.trim()) {
      error.value = words.session.required;
      return;
    }
    isBusy.value = true;
    error.value = "";
    try {
      await signIn({ license_key: key.value.trim() });
    } catch (refusal) {
      error.value = sentence(refusal);
    } finally {
      isBusy.value = false;
    }
  }

  return (
    <Dialog title={words.session.title}>
      <form class="sign-in" onSubmit={(event) => void enter(event)}>
        {hasEnded.value && <p>{words.session.ended}</p>}
        <label>
          {words.session.key}
          <input
            type="password"
            autocomplete="current-password"
            autofocus
            value={key}
            aria-describedby="sign-in-error"
            onInput={(event) => (key.value = event.currentTarget.value)}
          />
        </label>
        <p id="sign-in-error" class="error" role="alert">
          {error.value || refused}
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          {isBusy.value ? words.session.entering : words.session.enter}
        </button>
        <p class="hint">{words.session.hint}</p>
      </form>
    </Dialog>
  );
}
