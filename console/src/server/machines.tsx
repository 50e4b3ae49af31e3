/** Each machine and its worker processes: what they do now, and what they lack. */
import { api, ask, type Schemas } from "../api/client";
import { fileName } from "../parts/times";
import { hrefOf } from "../route";
import { serverWords } from "../words/server";
import { Answered, Command, Fact, Facts, Said } from "./parts";
import { usePolled } from "../parts/polling";

type Machine = Schemas["MachineState"];
type Process = Schemas["MachineProcess"];

const says = serverWords.machines;
const PAUSE_MS = 2000;

export function MachinesSection() {
  const found = usePolled((signal) => ask(api.GET("/machines", { signal })), () => PAUSE_MS);
  return (
    <>
      <p class="hint">{says.hint}</p>
      <Answered of={found}>
        {({ machines, lacks }) => (
          <>
            <Lacks title={says.lacking} lacks={lacks} />
            {machines.length === 0 && (
              <p>
                {says.none} <Command text={says.command} />
              </p>
            )}
            {machines.map((machine) => (
              <OneMachine key={machine.host} machine={machine} />
            ))}
          </>
        )}
      </Answered>
    </>
  );
}

function OneMachine({ machine }: { machine: Machine }) {
  return (
    <section class="machine" aria-label={machine.host}>
      <h2>{machine.host}</h2>
      <Lacks title={says.lacks} lacks={machine.lacks} />
      <ul class="entries">
        {machine.processes.map((process) => (
          <OneProcess key={process.name} process={process} />
        ))}
      </ul>
    </section>
  );
}

function OneProcess({ process }: { process: Process }) {
  const { kind, pid, state, message, media_path: path, task_id: task, models, roots_missing: unseen } = process;
  return (
    <li class="entry">
      <p class="title">
        {says.kinds[kind] ?? kind} <span class="hint">{says.process(pid)}</span>
      </p>
      <p>
        <span class={`state ${state}`}>{says.states[state] ?? state}</span>
        {message && `: ${message}`}
      </p>
      <Facts>
        {path && (
          <Fact name={says.at}>
            <span title={path}>{fileName(path)}</span>
          </Fact>
        )}
        {task && (
          <Fact name={says.ofTask}>
            <a href={hrefOf("work", new URLSearchParams({ task }))}>{task}</a>
          </Fact>
        )}
        {models.length > 0 && (
          <Fact name={says.memory}>
            <ul class="plain">
              {models.map((model) => (
                <li key={model.model_key}>
                  {says.held(serverWords.models.kinds[model.kind], model.model_key, model.bytes)}
                  {model.is_loading && ` (${says.loading})`}
                  {model.error && (
                    <p class="error">
                      <Said text={model.error} />
                    </p>
                  )}
                </li>
              ))}
            </ul>
          </Fact>
        )}
      </Facts>
      {unseen.length > 0 && <p class="error">{says.unseen(unseen)}</p>}
      <p class="hint">{says.since(process.started_at)}</p>
    </li>
  );
}

function Lacks({ title, lacks }: { title: string; lacks: string[] }) {
  if (lacks.length === 0) return null;
  return (
    <div class="entry warn">
      <p class="title">{title}</p>
      <ul class="plain">
        {lacks.map((sentence) => (
          <li key={sentence}>
            <Said text={sentence} />
          </li>
        ))}
      </ul>
    </div>
  );
}
