/** The help page of a block, folded: what goes in, what comes out, its documentation. */
import type { BlockSpec } from "../../graph/types";
import { t } from "../../i18n";
import { kindColour } from "../canvas/kinds";
import { words } from "../texts";

export function BlockHelp({ spec }: { spec: BlockSpec }) {
  return (
    <details className="inspector-more">
      <summary>{t("About this block")}</summary>
      {spec.inputs.length > 0 && (
        <PortList
          title={t("Takes")}
          ports={spec.inputs.map((input) => ({
            name: input.name,
            kind: input.kinds[0] ?? "",
            note: input.optional ? t("optional") : input.many ? t("several") : "",
          }))}
        />
      )}
      {spec.outputs.length > 0 && (
        <PortList title={t("Gives")} ports={spec.outputs.map(({ name, kind }) => ({ name, kind, note: "" }))} />
      )}
      {spec.doc && (
        <pre className="block-doc" lang="en" translate="no">
          {spec.doc}
        </pre>
      )}
      <p className="muted small mono" translate="no">
        {spec.id} · v{spec.version}
      </p>
    </details>
  );
}

interface PortListProps {
  readonly title: string;
  readonly ports: readonly { readonly name: string; readonly kind: string; readonly note: string }[];
}

function PortList({ title, ports }: PortListProps) {
  return (
    <div className="port-list">
      <h4>{title}</h4>
      {ports.map((port) => (
        <div key={port.name}>
          <i style={{ background: kindColour(port.kind) }} />
          <span>{t(words(port.name))}</span>
          <span className="muted">
            {t(port.kind)}
            {port.note && ` · ${port.note}`}
          </span>
        </div>
      ))}
    </div>
  );
}
