/** Saved, saving, or offline: always visible, and read aloud when it changes to offline and back. */
import { t } from "../../i18n";
import { Icon } from "../../ui";
import { useBuilderState } from "../store/context";

export function SaveStatus() {
  const save = useBuilderState((state) => state.save);
  const canEdit = useBuilderState((state) => state.canEdit);
  if (!canEdit) return <span className="save-status">{t("Read only")}</span>;
  return (
    <span className="save-status" data-save={save} role="status" aria-live={save === "saving" ? "off" : "polite"}>
      <Icon name={save === "saved" ? "check" : save === "saving" ? "refresh" : "warning"} size={13} />
      {save === "saved" ? t("Saved") : save === "saving" ? t("Saving…") : t("Offline: changes are kept")}
    </span>
  );
}
