/** Something that is done on a click: whether it is under way, and what went wrong. */
import { useSignal } from "@preact/signals";

export function useDoing() {
  const isBusy = useSignal(false);
  const error = useSignal<unknown>(null);
  async function run(act: () => Promise<void>): Promise<void> {
    if (isBusy.peek()) return;
    isBusy.value = true;
    error.value = null;
    try {
      await act();
    } catch (failure) {
      error.value = failure;
    } finally {
      isBusy.value = false;
    }
  }
  return { isBusy, error, run };
}
