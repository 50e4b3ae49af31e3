/** The list of keys that work now, under `?`. */
import { home } from "../api/client";
import { keyGroups } from "../keys";
import { Dialog } from "../parts/dialog";
import { words } from "../words";

export function KeyList({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={words.keys.title} onClose={onClose}>
      {keyGroups.value.filter(({ keys }) => keys.length > 0).map(({ title, keys }) => (
        <section key={title} class="keys">
          <h3>{title}</h3>
          <dl>
            {keys.map(({ keys: names, what }) => (
              <div key={what}>
                <dt>
                  {names.map((name) => (
                    <kbd key={name}>{shown(name)}</kbd>
                  ))}
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      <a href={new URL("docs/", home).href} target="_blank" rel="noopener">
        {words.keys.docs}
      </a>
    </Dialog>
  );
}

function shown(name: string): string {
  const [, modifier = "", plain = name] = /^(Shift\+|Control\+)?(.+)$/.exec(name) ?? [];
  return (words.keys.names[modifier] ?? "") + (words.keys.names[plain] ?? plain);
}
