/** The console begins here. */
import { useSignal } from "@preact/signals";
import { type ComponentChildren, render } from "preact";
import { useEffect, useErrorBoundary } from "preact/hooks";
import { Refusal, sentence } from "./api/client";
import { followSession } from "./api/live";
import { begin, hasEnded, linkInAddress, session } from "./api/session";
import { Pages } from "./pages";
import { Failure } from "./parts/notice";
import { ReplaceSession } from "./shell/replace_session";
import { Shell } from "./shell/shell";
import { SignIn } from "./shell/sign_in";
import { words } from "./words";

const AGAIN_MS = 3000;

function App() {
  const failure = useSignal<unknown>(null);

  function start(): void {
    begin()
      .then(() => (failure.value = null))
      .catch((error: unknown) => {
        failure.value = error;
        if (!isRefused(error)) setTimeout(start, AGAIN_MS);
      });
  }

  useEffect(() => {
    const onLink = () => linkInAddress() && start();
    addEventListener("hashchange", onLink);
    start();
    return () => removeEventListener("hashchange", onLink);
  }, []);
  const refused = isRefused(failure.value) ? sentence(failure.value) : undefined;
  if (failure.value && !refused) return <Failure error={failure.value} />;
  if (session.value === undefined && !refused) return <p class="wait">{words.loading}</p>;
  return (
    <>
      {(session.value || hasEnded.value) && (
        <Shell>
          <Guarded>
            <Pages />
          </Guarded>
        </Shell>
      )}
      {session.value && <ReplaceSession />}
      {!session.value && <SignIn refused={hasEnded.value ? undefined : refused} />}
    </>
  );
}

/** Whether the server knows and said no; else it is away, or not ready yet, and is asked again. */
function isRefused(error: unknown): boolean {
  return error instanceof Refusal && error.status >= 400 && error.status < 500;
}

/** A part that fails says so in its place. */
function Guarded({ children }: { children: ComponentChildren }) {
  const [error] = useErrorBoundary((thrown: unknown) => console.error(thrown));
  if (!error) return <>{children}</>;
  return <Failure error={words.errors.crash} again={() => location.reload()} />;
}

followSession();
const root = document.getElementById("app");
if (root) render(<App />, root);
