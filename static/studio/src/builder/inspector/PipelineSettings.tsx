/** What the inspector shows while no block is selected: the pipeline's seed and a short way in. */
import { t } from "../../i18n";
import { Field, Input } from "../../ui";
import { useBuilder, useBuilderState } from "../store/context";
import { edit } from "../store/edits";
import { documentOf } from "../store/state";

const MAX_SEED = 2 ** 32 - 1;

export function PipelineSettings() {
  const { store } = useBuilder();
  const seed = useBuilderState((state) => documentOf(state).seed);
  const blocks = useBuilderState((state) => Object.keys(documentOf(state).blocks).length);
  const wires = useBuilderState((state) => documentOf(state).wires.length);
  const canEdit = useBuilderState((state) => state.canEdit);
  return (
    <div className="inspector">
      <h2>{t("Pipeline")}</h2>
      <p className="muted small">{t("{blocks} blocks, {wires} wires", { blocks, wires })}</p>
      <Field label={t("Seed")} help={t("The same seed, data and machine plan give the same result.")}>
        <Input
          inputMode="numeric"
          className="numeric"
          value={String(seed)}
          disabled={!canEdit}
          onChange={(event) => {
            const value = Number(event.target.value);
            if (Number.isInteger(value) && value >= 0 && value <= MAX_SEED)
              edit(store, [{ op: "set_seed", seed: value }]);
          }}
        />
      </Field>
      <p className="muted small">{t("Select a block to see and change its parameters.")}</p>
      <p className="muted small">
        <kbd>/</kbd> {t("adds a block")} · <kbd>?</kbd> {t("shows all keys")}
      </p>
    </div>
  );
}
