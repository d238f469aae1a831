/** Named versions: give the present state a name, or bring an earlier one back. */
import { type FormEvent, useState } from "react";
import { message } from "../../graph/types";
import { t } from "../../i18n";
import { api } from "../../lib/api";
import { formatDate } from "../../lib/format";
import { useLoad } from "../../lib/live";
import type { Items } from "../../lib/types";
import { Button, Dialog, ErrorState, Input, LoadingState } from "../../ui";
import { useBuilder, useBuilderState } from "../store/context";
import { textOf } from "../store/runs";
import { notify } from "../store/state";

interface Version {
  readonly id?: string;
  readonly version: number;
  readonly name: string;
  readonly created?: string;
  readonly user?: string | { readonly name: string } | null;
}

export function Versions({ onClose }: { onClose: () => void }) {
  const { store, saver } = useBuilder();
  const root = `/pipelines/${store.getState().pipelineId}`;
  const canEdit = useBuilderState((state) => state.canEdit);
  const { data, error, reload } = useLoad<Items<Version>>(`${root}/versions`);
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);

  const attempt = async (action: () => Promise<void>) => {
    setBusy(true);
    try {
      await action();
    } catch (reason) {
      notify(store, message(textOf(reason)), "error");
    } finally {
      setBusy(false);
    }
  };
  const keep = (event: FormEvent) => {
    event.preventDefault();
    void attempt(async () => {
      await saver.flush();
      await api.post(`${root}/versions`, { name: name.trim() });
      setName("");
      reload();
    });
  };
  const restore = (version: Version) =>
    attempt(async () => {
      await saver.flush();
      await api.post(`${root}/restore`, { version: version.version });
      await saver.reread();
      notify(
        store,
        message("Version {name} is back. The state before it is in the list.", { name: version.name }),
        "success",
      );
      onClose();
    });

  return (
    <Dialog title={t("Versions")} onClose={onClose}>
      {canEdit && (
        <form className="versions-new" onSubmit={keep}>
          <Input
            data-autofocus
            aria-label={t("Name of the version")}
            placeholder={t("Name of the version, such as “before augmentation”")}
            value={name}
            maxLength={200}
            onChange={(event) => setName(event.target.value)}
          />
          <Button type="submit" variant="primary" busy={busy} disabled={!name.trim()}>
            {t("Keep this version")}
          </Button>
        </form>
      )}
      {error && <ErrorState error={error} retry={reload} compact />}
      {!data && !error && <LoadingState compact />}
      {data?.items.length === 0 && (
        <p className="panel-empty">{t("No version has a name yet. Every edit is saved all the same.")}</p>
      )}
      <ul className="versions">
        {data?.items.map((version) => (
          <li key={version.id ?? version.version}>
            <div>
              <strong>{version.name}</strong>
              <small className="muted">
                {version.created && formatDate(version.created)}
                {version.user && ` · ${typeof version.user === "string" ? version.user : version.user.name}`}
              </small>
            </div>
            {canEdit && (
              <Button small disabled={busy} onClick={() => restore(version)}>
                {t("Restore")}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
