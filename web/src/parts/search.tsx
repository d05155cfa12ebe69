import { useEffect, useState } from "preact/hooks";

/** A field to search with, which tells what is looked for once the typing pauses: each search is a request. */
export function SearchField(props: { label: string; placeholder: string; onSearch: (looked: string) => void }) {
  const { label, placeholder, onSearch } = props;
  const [typed, setTyped] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => onSearch(typed.trim()), 150);
    return () => clearTimeout(timer);
  }, [typed]);

  return (
    <input
      aria-label={label}
      type="search"
      data-search
      placeholder={placeholder}
      value={typed}
      onInput={(event) => setTyped(event.currentTarget.value)}
    />
  );
}
