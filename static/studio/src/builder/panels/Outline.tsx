/**
 * The pipeline as a list in running order: everything the canvas can do, with the keyboard and a screen reader.
 */
import { type KeyboardEvent, useMemo, useRef } from "react";
import { runOrder, splitAddress } from "../../graph/document";
import { t } from "../../i18n";
import { Button, Icon, IconButton, statusLabel } from "../../ui";
import { categoryIcon } from "../canvas/kinds";
import { deleteSelection, focusBlock, openSearch, selectBlocks, toggleBypass } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";
import { edit } from "../store/edits";
import { documentOf } from "../store/state";
import { blockTitle, words } from "../texts";

export function Outline() {
  const { store } = useBuilder();
  const document_ = useBuilderState(documentOf);
  const canEdit = useBuilderState((state) => state.canEdit);
  const { blocks, wires } = document_;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the order depends on blocks and wires only
  const order = useMemo(() => runOrder(document_), [blocks, wires]);
  const list = useRef<HTMLUListElement>(null);

  const onKeyDown = (event: KeyboardEvent) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = (event.target as HTMLElement).closest("li");
    if (!move || !row || !list.current) return;
    const rows = [...list.current.children];
    const next = rows[rows.indexOf(row) + move] as HTMLElement | undefined;
    next?.querySelector<HTMLElement>(".outline-name")?.focus();
    event.preventDefault();
  };

  return (
    <div className="outline">
      {canEdit && (
        <Button small icon="plus" onClick={() => openSearch(store, {})}>
          {t("Add a block")}
        </Button>
      )}
      <ul ref={list} onKeyDown={onKeyDown} aria-label={t("Blocks in running order")}>
        {order.map((id) => (
          <OutlineRow key={id} id={id} canEdit={canEdit} />
        ))}
      </ul>
      {order.length === 0 && <p className="panel-empty">{t("The pipeline has no blocks yet")}</p>}
    </div>
  );
}

function OutlineRow({ id, canEdit }: { id: string; canEdit: boolean }) {
  const { store } = useBuilder();
  const block = useBuilderState((state) => documentOf(state).blocks[id]);
  const spec = useBuilderState((state) => state.catalog.blocks[block?.type ?? ""]);
  const wires = useBuilderState((state) => documentOf(state).wires);
  const selected = useBuilderState((state) => state.selection.blocks.has(id));
  const state = useBuilderState((all) => all.run?.blocks[id]?.state);
  const errors = useBuilderState(
    (all) => all.problems.filter((one) => one.block === id && one.severity === "error").length,
  );
  if (!block) return null;
  const into = wires.filter(([, to]) => splitAddress(to).block === id);
  const act = (command: () => void) => () => {
    selectBlocks(store, [id]);
    command();
  };
  return (
    <li data-selected={selected || undefined}>
      <div className="outline-row">
        <button
          type="button"
          className="outline-name"
          aria-pressed={selected}
          onClick={() => focusBlock(store, id)}
          onKeyDown={(event) => {
            if (event.key !== "Delete" || !canEdit) return;
            event.stopPropagation();
            act(() => deleteSelection(store))();
          }}
        >
          <Icon name={spec ? categoryIcon(spec.category) : "warning"} size={14} />
          <span>{blockTitle(block, spec)}</span>
          {block.bypass && <small>{t("bypassed")}</small>}
          {errors > 0 && <small className="outline-error">{t("{count} errors", { count: errors })}</small>}
          {state && <small>{statusLabel(state)}</small>}
        </button>
        <IconButton
          small
          icon="settings"
          label={t("Parameters of {block}", { block: blockTitle(block, spec) })}
          onClick={() => {
            focusBlock(store, id);
            store.setState({ panel: "inspector" });
          }}
        />
        {canEdit && (
          <>
            <IconButton
              small
              icon="link"
              label={t("Connect {block} to…", { block: blockTitle(block, spec) })}
              onClick={act(() => store.setState({ connectMenu: { block: id } }))}
            />
            <IconButton
              small
              icon="minus"
              label={t("Bypass {block}", { block: blockTitle(block, spec) })}
              aria-pressed={block.bypass === true}
              onClick={act(() => toggleBypass(store))}
            />
            <IconButton
              small
              icon="trash"
              label={t("Delete {block}", { block: blockTitle(block, spec) })}
              onClick={act(() => deleteSelection(store))}
            />
          </>
        )}
      </div>
      {into.length > 0 && (
        <ul className="outline-wires">
          {into.map(([from, to]) => (
            <li key={`${from}>${to}`}>
              <span>
                {t(words(splitAddress(to).port))} ← {from}
              </span>
              {canEdit && (
                <IconButton
                  small
                  icon="close"
                  label={t("Disconnect {from} from {to}", { from, to })}
                  onClick={() => edit(store, [{ op: "disconnect", from, to }])}
                />
              )}
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}
