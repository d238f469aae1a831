/** The models that were given a name: what they do, how good they are, where they come from. */
import { t } from "../i18n";
import { formatAge, formatBytes, formatMetric } from "../lib/format";
import { useBell, useLoad } from "../lib/live";
import type { Items, PageProps, RegisteredModel } from "../lib/types";
import { urls } from "../lib/urls";
import { EmptyState, ErrorState, LinkButton, LoadingState } from "../ui";
import { factsOf, taskLabel } from "./models/modelFacts";

/** The number that says most about a model, the best known first. */
const RESULTS = ["accuracy", "r2", "validation_accuracy", "validation_r2", "validation_loss", "train_accuracy"];

export default function Models({ project }: PageProps) {
  const projectId = project?.id ?? "";
  const { data, error, reload } = useLoad<Items<RegisteredModel>>(`/projects/${projectId}/models`);
  useBell(projectId, ({ what }) => {
    if (what === "models" || what === "everything") {
      reload();
    }
  });
  return (
    <>
      <div className="page-head">
        <h1>{t("Models")}</h1>
      </div>
      {error && !data ? (
        <ErrorState error={error} retry={reload} />
      ) : !data ? (
        <LoadingState />
      ) : data.items.length === 0 ? (
        <EmptyState
          icon="model"
          title={t("No models yet")}
          actions={
            <LinkButton variant="primary" href={urls.runs(projectId)}>
              {t("Open the runs")}
            </LinkButton>
          }
        >
          {t("Open a run that trained a model, go to Results and press Register model.")}
        </EmptyState>
      ) : (
        <section className="card table-scroll" aria-label={t("Models")}>
          <table className="table">
            <thead>
              <tr>
                <th>{t("Name")}</th>
                <th>{t("Task")}</th>
                <th>{t("Architecture")}</th>
                <th className="numeric">{t("Result")}</th>
                <th className="numeric">{t("Size")}</th>
                <th>{t("Registered")}</th>
              </tr>
            </thead>
            <tbody>
              {data.items.map((model) => {
                const facts = factsOf(model);
                const name = RESULTS.find((one) => one in facts.metrics);
                return (
                  <tr key={model.id}>
                    <td>
                      <a href={urls.model(projectId, model.id)}>{model.name}</a>
                    </td>
                    <td>{taskLabel(facts.task)}</td>
                    <td>{facts.architecture}</td>
                    <td className="numeric">
                      {name ? `${t(name.replaceAll("_", " "))} ${formatMetric(facts.metrics[name])}` : "–"}
                    </td>
                    <td className="numeric">{model.size ? formatBytes(model.size) : "–"}</td>
                    <td className="muted">{formatAge(model.created)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}
