/** A search as it goes on, and when it is done: chart, table, what the selected candidate changes, "use this one". */
import { useState } from "react";
import { t, tn } from "../i18n";
import type { RegisteredModel } from "../lib/types";
import { urls } from "../lib/urls";
import { RegisterDialog } from "../pages/shared/RegisterDialog";
import { Button, EmptyState, Icon } from "../ui";
import { BeforeAfter } from "./BeforeAfter";
import { CandidateTable } from "./CandidateTable";
import { bestOf, type Candidate, type Search } from "./candidates";
import { rowsOfCandidates } from "./comparison";
import styles from "./compression.module.css";
import { ParetoChart } from "./ParetoChart";
import { reasonText, statusText, stepText } from "./words";

export interface SearchViewProps {
  search: Search;
  running: boolean;
  /** The model that the block put out. */
  chosen: string | null;
  projectId: string;
  runId: string;
  block: string;
  mayEdit: boolean;
  narrow?: boolean;
}

export function SearchView({ search, running, chosen, narrow, ...place }: SearchViewProps) {
  const [picked, setPicked] = useState<string | null>(null);
  const selected = search.candidates.find((one) => one.name === picked) ?? bestOf(search, chosen);
  if (!selected) {
    return running ? (
      <EmptyState compact icon="clock" title={t("The first candidate is being measured")} />
    ) : (
      <EmptyState compact icon="chart" title={t("No candidate was measured")} />
    );
  }
  const baseline = search.candidates.find((one) => one.baseline);
  return (
    <div className={styles.search} data-narrow={narrow || undefined}>
      <p className="muted small" aria-live="polite">
        <Counts search={search} />
      </p>
      <div className={styles.top}>
        <ParetoChart
          search={search}
          label={t("Size, latency and accuracy of the candidates")}
          selected={selected.name}
          onSelect={setPicked}
          narrow={narrow}
        />
        <section className={styles.detail} aria-label={t("Selected candidate")}>
          <h3 translate="no">{selected.name}</h3>
          <Facts candidate={selected} search={search} />
          {baseline && selected !== baseline && <BeforeAfter rows={rowsOfCandidates(baseline, selected)} />}
          <UseThisOne
            key={selected.name}
            candidate={selected}
            onFront={search.front.has(selected.name)}
            running={running}
            {...place}
          />
        </section>
      </div>
      <CandidateTable search={search} selected={selected.name} onSelect={setPicked} narrow={narrow} />
    </div>
  );
}

function Counts({ search }: { search: Search }) {
  const refused = search.candidates.filter((one) => one.refused).length;
  const count = search.candidates.length;
  return (
    <>
      {tn("{count} candidate measured", "{count} candidates measured", count)}
      {" · "}
      {t("{count} on the front", { count: search.front.size })}
      {refused > 0 && ` · ${t("{count} refused", { count: refused })}`}
    </>
  );
}

function Facts({ candidate, search }: { candidate: Candidate; search: Search }) {
  return (
    <>
      <p className={styles.facts}>
        <span>{statusText(candidate, search.front.has(candidate.name))}</span>
        {candidate.steps.length > 0 && <span>{candidate.steps.map(stepText).join(" → ")}</span>}
        {candidate.runtime && <span translate="no">{candidate.runtime}</span>}
      </p>
      {candidate.reason && <p className={styles.refusal}>{reasonText(candidate.reason)}</p>}
    </>
  );
}

interface UseThisOneProps {
  candidate: Candidate;
  onFront: boolean;
  running: boolean;
  projectId: string;
  runId: string;
  block: string;
  mayEdit: boolean;
}

/** Registers a point of the front as a model of the project. */
function UseThisOne({ candidate, onFront, running, projectId, runId, block, mayEdit }: UseThisOneProps) {
  const [asking, setAsking] = useState(false);
  const [made, setMade] = useState<RegisteredModel | null>(null);
  const { digest } = candidate;
  if (!mayEdit || (digest === null && (!running || !onFront))) {
    return null;
  }
  return (
    <div className={styles.use}>
      <Button variant="primary" icon="model" disabled={digest === null} onClick={() => setAsking(true)}>
        {t("Use this one")}
      </Button>
      {digest === null && <span className="muted small">{t("The models are kept when the search ends.")}</span>}
      <span role="status">
        {made && (
          <a href={urls.model(projectId, made.id)}>
            <Icon name="check" size={14} /> {t("Registered as {name}", { name: made.name })}
          </a>
        )}
      </span>
      {asking && digest !== null && (
        <RegisterDialog
          projectId={projectId}
          source={{ run: runId, block, digest }}
          name={candidate.name}
          onClose={() => setAsking(false)}
          onRegistered={(model) => {
            setMade(model);
            setAsking(false);
          }}
        />
      )}
    </div>
  );
}
