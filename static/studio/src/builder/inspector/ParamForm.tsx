/**
 * The form of a block: what everybody sets, what differs from its default, then the rest in sections that fold.
 *
 * A block with many parameters gets a search. Which fields stand above the sections is settled when the block is
 * opened: a field does not jump away under the hand that changes it.
 */
import { useEffect, useRef, useState } from "react";
import { type Field, type FieldGroup, groupsOf, isChanged, matchesField } from "../../graph/params";
import type { BlockEntry } from "../../graph/types";
import { t, tn } from "../../i18n";
import { Icon } from "../../ui";
import { useBuilderState } from "../store/context";
import { ParamField } from "./ParamField";

const SEARCH_FROM = 9;

interface ParamFormProps {
  readonly id: string;
  readonly block: BlockEntry;
  readonly fields: readonly Field[];
}

export function ParamForm({ id, block, fields }: ParamFormProps) {
  const form = useRef<HTMLDivElement>(null);
  const [query, setQuery] = useState("");
  const [raised] = useState(() => new Set(raisedNames(block, fields)));
  useFieldFocus(id, form, query, setQuery);
  const wanted = query.trim();
  const groups = groupsOf(fields.filter((one) => !raised.has(one.name)));
  const draw = (field: Field) => <ParamField key={field.name} id={id} block={block} field={field} />;
  return (
    <div ref={form} className="inspector-form">
      {fields.length >= SEARCH_FROM && <Search query={query} onChange={setQuery} />}
      {wanted ? (
        <Found fields={fields.filter((field) => matchesField(field, wanted, t))} draw={draw} />
      ) : (
        <>
          <div className="inspector-fields">
            {fields.filter((field) => !field.advanced).map(draw)}
            {fields.filter((field) => raised.has(field.name)).map(draw)}
          </div>
          {groups.map((group) => (
            <Section key={group.title} group={group} block={block} alone={groups.length === 1} draw={draw} />
          ))}
        </>
      )}
    </div>
  );
}

const raisedNames = (block: BlockEntry, fields: readonly Field[]): string[] =>
  fields.filter((field) => field.advanced && isChanged(block, field)).map((field) => field.name);

function Search({ query, onChange }: { query: string; onChange: (query: string) => void }) {
  return (
    <label className="inspector-search">
      <Icon name="search" size={14} />
      <input
        type="search"
        value={query}
        placeholder={t("Find a setting")}
        aria-label={t("Find a setting")}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape" && query) {
            event.stopPropagation();
            onChange("");
          }
        }}
      />
    </label>
  );
}

function Found({ fields, draw }: { fields: readonly Field[]; draw: (field: Field) => React.ReactNode }) {
  return (
    <>
      <p className="muted small" role="status">
        {tn("{count} setting", "{count} settings", fields.length)}
      </p>
      <div className="inspector-fields">{fields.map(draw)}</div>
    </>
  );
}

interface SectionProps {
  readonly group: FieldGroup;
  readonly block: BlockEntry;
  /** The only section: it has no need of a name of its own. */
  readonly alone: boolean;
  readonly draw: (field: Field) => React.ReactNode;
}

function Section({ group, block, alone, draw }: SectionProps) {
  const changed = group.fields.filter((field) => isChanged(block, field)).length;
  return (
    <details className="inspector-more">
      <summary>
        {group.title !== null && !alone ? t(group.title) : t("Advanced")}
        {changed > 0 && <span className="param-changed">{t("{count} changed", { count: changed })}</span>}
      </summary>
      <div className="inspector-fields">{group.fields.map(draw)}</div>
    </details>
  );
}

/** Put the cursor into the field that a problem points at. */
function useFieldFocus(
  id: string,
  form: React.RefObject<HTMLDivElement | null>,
  query: string,
  setQuery: (query: string) => void,
): void {
  const focus = useBuilderState((state) => state.focusField);
  const done = useRef(0);
  useEffect(() => {
    if (!focus || focus.block !== id || focus.field === null || done.current === focus.nonce) return;
    if (query) {
      setQuery("");
      return;
    }
    done.current = focus.nonce;
    const field = form.current?.querySelector<HTMLElement>(`[data-field="${CSS.escape(focus.field)}"]`);
    field?.closest("details")?.setAttribute("open", "");
    field?.querySelector<HTMLElement>("input, select, textarea")?.focus();
    field?.scrollIntoView({ block: "center" });
  }, [focus, id, form, query, setQuery]);
}
