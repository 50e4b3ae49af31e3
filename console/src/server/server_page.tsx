/** The page of the server: one section of it at a time, each with an address of its own. */
import type { ComponentType } from "preact";
import { may, session } from "../api/session";
import { useTitle } from "../parts/title";
import { hrefOf, route } from "../route";
import { words } from "../words";
import { serverWords } from "../words/server";
import { AuditSection } from "./audit";
import { HealthSection } from "./health";
import { KeysSection } from "./keys";
import { MachinesSection } from "./machines";
import { ModelsSection } from "./models";
import { WebhooksSection } from "./webhooks";

interface Section {
  Shown: ComponentType;
  isForAdmins: boolean;
}

const sections: Record<keyof typeof serverWords.sections, Section> = {
  health: { Shown: HealthSection, isForAdmins: false },
  machines: { Shown: MachinesSection, isForAdmins: true },
  models: { Shown: ModelsSection, isForAdmins: false },
  keys: { Shown: KeysSection, isForAdmins: true },
  webhooks: { Shown: WebhooksSection, isForAdmins: true },
  audit: { Shown: AuditSection, isForAdmins: true },
};
type Name = keyof typeof sections;
const NAMES = Object.keys(sections) as Name[];

export function ServerPage() {
  const [, asked = ""] = route.value.page.split("/");
  const name = NAMES.find((one) => one === asked) ?? "health";
  // Where a session has ended, what was there stays behind the sign-in.
  const isAdmin = !session.value || may("admin");
  const hidden = NAMES.filter((one) => sections[one].isForAdmins && !isAdmin);
  const title = serverWords.sections[name];
  useTitle(title);
  const { Shown } = sections[name];
  return (
    <div class="server">
      <nav aria-label={words.pages.server}>
        {NAMES.filter((one) => !hidden.includes(one)).map((one) => (
          <a key={one} href={hrefOf(`server/${one}`)} aria-current={one === name ? "page" : undefined}>
            {serverWords.sections[one]}
          </a>
        ))}
        {hidden.length > 0 && (
          <p class="hint">
            {serverWords.lacks(hidden.map((one) => serverWords.sections[one]).join(", "), "admin")}
          </p>
        )}
      </nav>
      <section key={name} aria-labelledby="section-title">
        <h1 id="section-title" tabIndex={-1}>
          {title}
        </h1>
        {hidden.includes(name) ? <p>{serverWords.lacks(title, "admin")}</p> : <Shown />}
      </section>
    </div>
  );
}
