/** Everything that is wrong or worth knowing, in four severities; a click goes to the block and field. */
import type { Severity } from "../../graph/types";
import { t } from "../../i18n";
import { Icon, type IconName } from "../../ui";
import { focusBlock } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";
import { blockTitle, problemHint, tMessage, words } from "../texts";

const LOOK: Readonly<Record<Severity, { icon: IconName; label: () => string }>> = {
  error: { icon: "error", label: () => t("Error") },
  warning: { icon: "warning", label: () => t("Warning") },
  info: { icon: "info", label: () => t("Information") },
  hint: { icon: "note", label: () => t("Hint") },
};

export function Problems() {
  const { store } = useBuilder();
  const problems = useBuilderState((state) => state.problems);
  const blocks = useBuilderState((state) => state.sync.document.blocks);
  const catalog = useBuilderState((state) => state.catalog);
  if (problems.length === 0)
    return (
      <p className="panel-empty">
        <Icon name="check" /> {t("No problems. The pipeline is ready to run.")}
      </p>
    );
  return (
    <ul className="problems" aria-label={t("Problems")}>
      {problems.map((problem, index) => {
        const block = problem.block ? blocks[problem.block] : undefined;
        const hint = problemHint(problem);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a list read from top to bottom, replaced as a whole
          <li key={index}>
            <button
              type="button"
              data-severity={problem.severity}
              disabled={!block}
              onClick={() => problem.block && focusBlock(store, problem.block, problem.field)}
            >
              <Icon name={LOOK[problem.severity].icon} label={LOOK[problem.severity].label()} />
              <span>
                <span>{tMessage(problem)}</span>
                {hint && <small>{hint}</small>}
                {block && (
                  <small>
                    {blockTitle(block, catalog.blocks[block.type])}
                    {problem.field && ` · ${t(words(problem.field))}`}
                  </small>
                )}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
