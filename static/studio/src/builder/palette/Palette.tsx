/** The blocks of the catalog by category; drag one to the canvas, or press Enter on it. */
import { type DragEvent, useMemo, useState } from "react";
import { searchBlocks } from "../../graph/search";
import type { BlockSpec } from "../../graph/types";
import { t } from "../../i18n";
import { Icon } from "../../ui";
import { categoryIcon, categoryToken } from "../canvas/kinds";
import { BLOCK_MIME } from "../canvas/mime";
import { addBlock } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";

export const specWords = (spec: BlockSpec) => ({ title: t(spec.title), summary: t(spec.summary) });

export function Palette() {
  const catalog = useBuilderState((state) => state.catalog);
  const canEdit = useBuilderState((state) => state.canEdit);
  const [query, setQuery] = useState("");
  const hits = useMemo(() => searchBlocks(catalog, query, specWords).map((hit) => hit.spec), [catalog, query]);
  return (
    <aside className="palette" aria-label={t("Blocks")}>
      <div className="palette-search">
        <Icon name="search" size={14} />
        <input
          type="search"
          placeholder={t("Search blocks")}
          aria-label={t("Search blocks")}
          value={query}
          onChange={(event) => setQuery(event.target.value)}
        />
      </div>
      <div className="palette-list">
        {catalog.categories.map((category) => {
          const blocks = hits.filter((spec) => spec.category === category.id);
          return blocks.length === 0 ? null : (
            <section key={category.id}>
              <h3>{t(category.title)}</h3>
              {blocks.map((spec) => (
                <PaletteItem key={spec.id} spec={spec} canEdit={canEdit} />
              ))}
            </section>
          );
        })}
        {hits.length === 0 && <p className="palette-none">{t("No block matches “{query}”.", { query })}</p>}
      </div>
    </aside>
  );
}

function PaletteItem({ spec, canEdit }: { spec: BlockSpec; canEdit: boolean }) {
  const { store } = useBuilder();
  const onDragStart = (event: DragEvent) => {
    event.dataTransfer.setData(BLOCK_MIME, spec.id);
    event.dataTransfer.effectAllowed = "copy";
  };
  return (
    <button
      type="button"
      className="palette-item"
      draggable={canEdit}
      disabled={!canEdit}
      data-block={spec.id}
      title={t(spec.summary)}
      style={{ "--category": `var(${categoryToken(spec.category)})` } as React.CSSProperties}
      onDragStart={onDragStart}
      onClick={() => addBlock(store, { type: spec.id, at: null })}
    >
      <span className="block-icon">
        <Icon name={categoryIcon(spec.category)} size={14} />
      </span>
      <span className="palette-title">{t(spec.title)}</span>
      {spec.needs === "gpu" && (
        <span className="chip" title={t("Faster with a GPU")}>
          GPU
        </span>
      )}
    </button>
  );
}
