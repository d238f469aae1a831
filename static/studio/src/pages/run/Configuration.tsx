/** What the run was made with: parameters of every block, the seed, the execution plan; searchable. */
import { useMemo, useState } from "react";
import { saveText } from "../../charts/export";
import { t } from "../../i18n";
import { formatNumber } from "../../lib/format";
import type { Run } from "../../lib/runTypes";
import type { Json } from "../../lib/types";
import { Button, EmptyState, Input } from "../../ui";
import { configOf } from "../shared/documentDiff";

export function valueText(value: Json | undefined): string {
  if (value === undefined) {
    return "–";
  }
  if (value === null) {
    return t("not set");
  }
  if (typeof value === "boolean") {
    return value ? t("yes") : t("no");
  }
  return typeof value === "number" ? formatNumber(value) : typeof value === "string" ? value : JSON.stringify(value);
}

export function Configuration({ run }: { run: Run }) {
  const [search, setSearch] = useState("");
  const rows = useMemo(() => {
    const plan = Object.entries(run.plan ?? {}).map(([name, value]) => [`plan.${name}`, value] as const);
    const config = { ...configOf(run.document), ...run.config };
    return [...Object.entries(config), ...plan];
  }, [run.document, run.config, run.plan]);
  const words = search.trim().toLowerCase();
  const found = rows.filter(([name, value]) => `${name} ${valueText(value)}`.toLowerCase().includes(words));
  return (
    <section className="card" aria-label={t("Configuration")}>
      <div className="card-head row-wrap">
        <Input
          type="search"
          style={{ width: 240 }}
          placeholder={t("Search the configuration")}
          aria-label={t("Search the configuration")}
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <span className="push">
          <Button
            small
            icon="download"
            onClick={() => {
              const text = `${JSON.stringify(run.document, null, 2)}\n`;
              saveText(text, `${run.document.name}.pipeline.json`, "application/json");
            }}
          >
            {t("Save the pipeline as JSON")}
          </Button>
        </span>
      </div>
      {found.length === 0 ? (
        <EmptyState compact icon="settings" title={t("Nothing matches")} />
      ) : (
        <div className="table-scroll">
          <table className="table">
            <thead>
              <tr>
                <th style={{ width: "40%" }}>{t("Parameter")}</th>
                <th>{t("Value")}</th>
              </tr>
            </thead>
            <tbody>
              {found.map(([name, value]) => (
                <tr key={name}>
                  <td>
                    <code>{name}</code>
                  </td>
                  <td style={{ overflowWrap: "anywhere" }} translate={typeof value === "string" ? "no" : undefined}>
                    {valueText(value)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
