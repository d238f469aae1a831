/** A piece of page state that lives in the query string, so that a link and a reload show the same. */
import { useCallback, useState } from "react";

function read(name: string): string | null {
  return new URLSearchParams(window.location.search).get(name);
}

export function useUrlState(name: string, initial: string): [string, (value: string) => void] {
  const [value, setValue] = useState(() => read(name) ?? initial);
  const change = useCallback(
    (next: string) => {
      setValue(next);
      const url = new URL(window.location.href);
      if (next === initial) {
        url.searchParams.delete(name);
      } else {
        url.searchParams.set(name, next);
      }
      window.history.replaceState(null, "", url);
    },
    [name, initial],
  );
  return [value, change];
}
