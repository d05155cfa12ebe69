import { useEffect, useRef, useState } from "preact/hooks";
import { Store, useStore, whole } from "../store";
import { say } from "./notice";
import { ProblemNote } from "./problem";

interface Field {
  name: string;
  label: string;
  number?: boolean;
  /** Of numbers, whole ones from 1 on. */
  whole?: boolean;
  /** What can be chosen. */
  options?: readonly string[];
  value?: string;
  required?: boolean;
  /** Most characters. */
  most?: number;
  hint?: string;
}

export interface Question {
  title: string;
  body: string;
  verb: string;
  danger?: boolean;
  fields?: Field[];
  /** Do it; what it throws is shown, and the dialog stays. */
  run: (given: Record<string, string>) => Promise<unknown>;
  done: string;
}

const asked = new Store<Question | null>(null);

/** Ask before something is done. */
export function confirm(question: Question): void {
  asked.set(question);
}

export function Dialog() {
  const question = useStore(asked, whole);
  return question && <Asked question={question} />;
}

function Asked({ question }: { question: Question }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  useEffect(() => dialog.current?.showModal(), []);

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const given = Object.fromEntries([...form].map(([name, value]) => [name, String(value).trim()]));
    setBusy(true);
    setProblem("");
    try {
      await question.run(given);
      dialog.current?.close(); // gives the focus back
      say(question.done);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  }

  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="dialog-title" onClose={() => asked.set(null)}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="dialog-title">{question.title}</h2>
        <p>{question.body}</p>
        {question.fields?.map((field, index) => (
          <label key={field.name}>
            {field.label}
            <Input field={field} first={index === 0} />
          </label>
        ))}
        <ProblemNote text={problem} />
        <div class="row end">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class={question.danger ? "danger" : "main"} disabled={busy}>
            {question.verb}
          </button>
        </div>
      </form>
    </dialog>
  );
}

function Input({ field, first }: { field: Field; first: boolean }) {
  const common = {
    name: field.name,
    defaultValue: field.value ?? "",
    required: field.required ?? false,
    autoComplete: "off",
    autoFocus: first,
  };
  if (field.options) {
    return (
      <select name={field.name} autoFocus={first}>
        {field.options.map((each) => (
          <option key={each} selected={each === field.value}>
            {each}
          </option>
        ))}
      </select>
    );
  }
  return field.number ? (
    <input {...common} type="number" min={field.whole ? 1 : 0} step={field.whole ? 1 : "any"} />
  ) : (
    <input {...common} type="text" maxLength={field.most ?? 500} placeholder={field.hint} />
  );
}
