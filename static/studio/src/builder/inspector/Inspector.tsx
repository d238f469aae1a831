/** The right-hand panel: the parameters of the selected block, or the settings of the pipeline. */
import { type Field, fieldsOf } from "../../graph/params";
import type { BlockEntry, BlockSpec } from "../../graph/types";
import { t } from "../../i18n";
import { Icon } from "../../ui";
import { categoryIcon, categoryToken } from "../canvas/kinds";
import { onlyBlock } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";
import { edit } from "../store/edits";
import { blockTitle } from "../texts";
import { BlockHelp } from "./BlockHelp";
import { BlockResult } from "./BlockResult";
import { EditableText } from "./EditableText";
import { ParamForm } from "./ParamForm";
import { PipelineSettings } from "./PipelineSettings";

export function Inspector() {
  const id = useBuilderState((state) => onlyBlock(state.selection));
  const count = useBuilderState((state) => state.selection.blocks.size);
  const block = useBuilderState((state) => (id ? state.sync.document.blocks[id] : undefined));
  const spec = useBuilderState((state) => state.catalog.blocks[block?.type ?? ""]);
  if (id && block) return <BlockForm key={id} id={id} block={block} spec={spec} />;
  if (count > 1) return <p className="panel-empty">{t("{count} blocks are selected.", { count })}</p>;
  return <PipelineSettings />;
}

interface BlockFormProps {
  readonly id: string;
  readonly block: BlockEntry;
  readonly spec: BlockSpec | undefined;
}

function BlockForm({ id, block, spec }: BlockFormProps) {
  const { store } = useBuilder();
  const canEdit = useBuilderState((state) => state.canEdit);
  const fields = spec ? fieldsOf(spec) : [];
  return (
    <div className="inspector">
      <header
        className="inspector-head"
        style={{ "--category": `var(${categoryToken(spec?.category ?? "")})` } as React.CSSProperties}
      >
        <span className="block-icon">
          <Icon name={spec ? categoryIcon(spec.category) : "warning"} size={16} />
        </span>
        <div>
          <EditableText
            label={t("Title of the block")}
            value={blockTitle(block, spec)}
            disabled={!canEdit}
            onChange={(text) =>
              edit(store, [{ op: "rename", id, label: text && text !== (spec && t(spec.title)) ? text : null }])
            }
          />
          <BlockIdField id={id} disabled={!canEdit} />
        </div>
      </header>
      {spec && <p className="inspector-summary">{t(spec.summary)}</p>}
      {!spec && <p className="field-error">{t("There is no block {type}", { type: block.type })}</p>}
      <FieldlessProblems id={id} fields={fields} />
      <ParamForm id={id} block={block} fields={fields} />
      {spec && fields.length === 0 && <p className="muted small">{t("This block has nothing to set.")}</p>}
      <BlockResult id={id} />
      {spec && <BlockHelp spec={spec} />}
    </div>
  );
}

function BlockIdField({ id, disabled }: { id: string; disabled: boolean }) {
  const { store } = useBuilder();
  return (
    <EditableText
      mono
      label={t("Id of the block, used in metric names")}
      value={id}
      disabled={disabled}
      onChange={(text) => {
        if (edit(store, [{ op: "rename_id", id, new_id: text }]))
          store.setState({ selection: { blocks: new Set([text]), notes: new Set(), wires: new Set() } });
      }}
    />
  );
}

/** Problems of the block that belong to no field of the form: wires and ports. */
function FieldlessProblems({ id, fields }: { id: string; fields: readonly Field[] }) {
  const problems = useBuilderState((state) => state.problems);
  const shown = problems.filter((one) => one.block === id && !fields.some((field) => field.name === one.field));
  return (
    <>
      {shown.map((one) => (
        <p key={`${one.field} ${one.template}`} className="inspector-problem" data-severity={one.severity}>
          <Icon name={one.severity === "error" ? "error" : one.severity === "warning" ? "warning" : "info"} size={14} />
          {t(one.template, one.values)}
        </p>
      ))}
    </>
  );
}
