/** What went wrong, told at once to those who listen to the page. */
export function ProblemNote({ text }: { text: string }) {
  return text ? (
    <p class="problem" role="alert">
      {text}
    </p>
  ) : null;
}
