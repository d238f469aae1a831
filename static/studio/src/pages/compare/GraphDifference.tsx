/** The difference of two pipelines as a picture: added, removed, changed; parameters of the changed blocks. */
import { useMemo, useState } from "react";
import { t } from "../../i18n";
import type { PipelineDocument } from "../../lib/types";
import { EmptyState, Select } from "../../ui";
import { valueText } from "../run/Configuration";
import { DocumentGraph, titleOf } from "../shared/DocumentGraph";
import { graphDiff } from "../shared/documentDiff";
import styles from "./compare.module.css";

export interface GraphDifferenceProps {
  runs: { id: string; title: string; document: PipelineDocument }[];
}

export function GraphDifference({ runs }: GraphDifferenceProps) {
  const [left, setLeft] = useState(runs[0]?.id ?? "");
  const [right, setRight] = useState(runs[1]?.id ?? "");
  const before = runs.find((run) => run.id === left) ?? runs[0];
  const after = runs.find((run) => run.id === right) ?? runs[1];
  const diff = useMemo(() => before && after && graphDiff(before.document, after.document), [before, after]);
  if (!diff) {
    return null;
  }
  const options = runs.map((run) => ({ value: run.id, label: run.title }));
  const changed = Object.entries(diff.blocks).filter(([, block]) => block.params.length > 0);
  const same =
    Object.values(diff.blocks).every((block) => block.change === "same") &&
    Object.values(diff.wires).every((change) => change === "same");
  return (
    <section className="card" aria-label={t("Graph difference")}>
      <div className="card-head row-wrap">
        <h2>{t("Graph difference")}</h2>
        <span className="push row row-wrap">
          <Select
            aria-label={t("From")}
            style={{ width: 200 }}
            value={before?.id}
            options={options}
            onChange={(event) => setLeft(event.target.value)}
          />
          <span className="muted">→</span>
          <Select
            aria-label={t("To")}
            style={{ width: 200 }}
            value={after?.id}
            options={options}
            onChange={(event) => setRight(event.target.value)}
          />
        </span>
      </div>
      <div className="card-body stack">
        {same ? (
          <EmptyState compact icon="check" title={t("The two graphs are the same")} />
        ) : (
          <ul className={styles.key}>
            <li data-change="added">{t("Added")}</li>
            <li data-change="removed">{t("Removed")}</li>
            <li data-change="changed">{t("Changed")}</li>
          </ul>
        )}
        <div style={{ overflow: "auto" }}>
          <DocumentGraph document={diff.merged} label={t("Graph difference")} changes={diff} maxHeight={340} />
        </div>
        {changed.length > 0 && (
          <ul className={styles.changes}>
            {changed.map(([id, block]) => (
              <li key={id}>
                <b>{titleOf(diff.merged, id)}</b>
                {block.params.map((param) => (
                  <span key={param.name}>
                    <code>{param.name}</code> <del>{valueText(param.before)}</del> → <ins>{valueText(param.after)}</ins>
                  </span>
                ))}
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}
