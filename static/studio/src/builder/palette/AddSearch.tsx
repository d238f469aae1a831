/** The search that `/`, a double-click or a dropped wire opens: type, choose with the arrows, Enter adds. */
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { searchBlocks } from "../../graph/search";
import { t } from "../../i18n";
import { Icon } from "../../ui";
import { categoryIcon, categoryToken } from "../canvas/kinds";
import { addBlock } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";
import { documentOf, type AddSearch as Search } from "../store/state";
import { words } from "../texts";
import { specWords } from "./Palette";

export function AddSearch() {
  const search = useBuilderState((state) => state.search);
  return search ? <SearchBox search={search} /> : null;
}

const WIDTH = 340;
const HEIGHT = 380;

function placeOf(screen: Search["screen"]): React.CSSProperties {
  if (!screen) return { left: "50%", top: "18%", transform: "translateX(-50%)" };
  return {
    left: Math.max(8, Math.min(screen[0], window.innerWidth - WIDTH - 12)),
    top: Math.max(8, Math.min(screen[1], window.innerHeight - HEIGHT - 12)),
  };
}

function SearchBox({ search }: { search: Search }) {
  const { store } = useBuilder();
  const catalog = useBuilderState((state) => state.catalog);
  const document_ = useBuilderState(documentOf);
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const { port } = search;
  const hits = useMemo(
    () => searchBlocks(catalog, query, specWords, port && { document: document_, port }),
    [catalog, query, document_, port],
  );
  const close = () => store.setState({ search: null });

  useEffect(() => {
    const outside = (event: PointerEvent) => {
      if (!box.current?.contains(event.target as Node)) store.setState({ search: null });
    };
    document.addEventListener("pointerdown", outside, true);
    return () => document.removeEventListener("pointerdown", outside, true);
  }, [store]);

  const add = (index: number) => {
    const hit = hits[index];
    close();
    if (hit) addBlock(store, { type: hit.spec.id, at: search.at, port });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) {
      const next = (chosen + move + hits.length) % Math.max(1, hits.length);
      setChosen(next);
      list.current?.children[next]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") add(chosen);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div ref={box} className="add-search" style={placeOf(search.screen)} role="dialog" aria-label={t("Add a block")}>
      <div className="add-search-head">
        <Icon name="search" size={15} />
        <input
          // biome-ignore lint/a11y/noAutofocus: the person asked for this field
          autoFocus
          role="combobox"
          aria-expanded="true"
          aria-controls="add-search-list"
          aria-activedescendant={hits[chosen] ? `add-${hits[chosen].spec.id}` : undefined}
          aria-label={t("Add a block")}
          placeholder={port ? t("Add a block that fits…") : t("Add a block…")}
          value={query}
          onChange={(event) => {
            setQuery(event.target.value);
            setChosen(0);
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <div id="add-search-list" ref={list} className="add-search-list" role="listbox" aria-label={t("Blocks")}>
        {hits.map((hit, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are read in the field above
          // biome-ignore lint/a11y/useFocusableInteractive: the field above keeps the focus
          <div
            key={hit.spec.id}
            id={`add-${hit.spec.id}`}
            role="option"
            aria-selected={index === chosen}
            className="add-search-hit"
            style={{ "--category": `var(${categoryToken(hit.spec.category)})` } as React.CSSProperties}
            onClick={() => add(index)}
            onPointerMove={() => setChosen(index)}
          >
            <span className="block-icon">
              <Icon name={categoryIcon(hit.spec.category)} size={14} />
            </span>
            <span>
              <strong>{t(hit.spec.title)}</strong>
              <small>{hit.port ? t("connects to {port}", { port: words(hit.port) }) : t(hit.spec.summary)}</small>
            </span>
          </div>
        ))}
        {hits.length === 0 && <p className="palette-none">{t("No block fits.")}</p>}
      </div>
    </div>
  );
}
