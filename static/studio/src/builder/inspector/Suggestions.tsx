/** What a block's result suggests for another one, with a button that uses it: on its card and in the inspector. */
import { memo } from "react";
import { type Suggestion, suggestedValues, suggestionOperation, targetsOf } from "../../graph/suggestions";
import { t } from "../../i18n";
import { formatMetric } from "../../lib/format";
import { Button, Icon } from "../../ui";
import { useBuilder, useBuilderState } from "../store/context";
import { edit } from "../store/edits";
import { blockTitle, words } from "../texts";

export const Suggestions = memo(function Suggestions({ id }: { id: string }) {
  const metrics = useBuilderState((state) => state.run?.blocks[id]?.metrics);
  const values = suggestedValues(metrics);
  return values.length > 0 ? <List id={id} values={values} /> : null;
});

function List({ id, values }: { id: string; values: readonly [param: string, value: number][] }) {
  const document = useBuilderState((state) => state.sync.document);
  const catalog = useBuilderState((state) => state.catalog);
  return (
    <div className="block-suggestions nodrag">
      {values.map(([param, value]) => (
        <One key={param} suggestion={{ param, value, targets: targetsOf(document, catalog, id, param) }} />
      ))}
    </div>
  );
}

function One({ suggestion: { param, value, targets } }: { suggestion: Suggestion }) {
  return (
    <>
      <span>
        {t("Suggested {name}", { name: t(words(param)) })} <b>{formatMetric(value)}</b>
      </span>
      {targets.map((block) => (
        <Use key={block} block={block} param={param} value={value} named={targets.length > 1} />
      ))}
      {targets.length === 0 && (
        <span className="muted">{t("No training block shares the model or the data of this one.")}</span>
      )}
    </>
  );
}

interface UseProps {
  readonly block: string;
  readonly param: string;
  readonly value: number;
  /** Several blocks could use it: say which. */
  readonly named: boolean;
}

function Use({ block, param, value, named }: UseProps) {
  const { store } = useBuilder();
  const canEdit = useBuilderState((state) => state.canEdit);
  const entry = useBuilderState((state) => state.sync.document.blocks[block]);
  const spec = useBuilderState((state) => state.catalog.blocks[entry?.type ?? ""]);
  if (!entry) return null;
  const title = blockTitle(entry, spec);
  if (entry.params[param] === value)
    return (
      <span className="block-used">
        <Icon name="check" size={13} />
        {t("Used in {block}", { block: title })}
      </span>
    );
  const label = param === "learning_rate" ? t("Use this rate") : t("Use this value");
  return (
    <Button
      small
      disabled={!canEdit}
      title={t("Sets it in {block}", { block: title })}
      onClick={() => edit(store, [suggestionOperation(block, param, value)])}
    >
      {named ? t("{action} in {block}", { action: label, block: title }) : label}
    </Button>
  );
}
