import { Store, useStore, whole } from "../store";

const SECONDS = 5;

const notice = new Store("");
let timer: number | undefined;

/** Tell in passing what was done. */
export function say(text: string): void {
  notice.set(text);
  clearTimeout(timer);
  timer = setTimeout(() => notice.set(""), SECONDS * 1000);
}

export function Notice() {
  const text = useStore(notice, whole);
  return (
    <div class="notice" role="status" data-shown={text ? "" : undefined}>
      {text}
    </div>
  );
}
