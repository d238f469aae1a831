/** Set a password, or change it. Who came by a link has none yet, and needs one to log in from elsewhere. */
import { type FormEvent, useState } from "react";
import { t } from "../../i18n";
import { ApiError, api } from "../../lib/api";
import { useLoad } from "../../lib/live";
import { Button, Field, Input, useToast } from "../../ui";

export function Password() {
  const { data: me, reload } = useLoad<{ has_password: boolean }>("/me");
  const toast = useToast();
  const [current, setCurrent] = useState("");
  const [fresh, setFresh] = useState("");
  const [error, setError] = useState<ApiError | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await api.post("/me/password", { current, new: fresh });
      setCurrent("");
      setFresh("");
      setError(null);
      toast.show(t("Password changed. Other sessions are logged out."), "ok");
      reload();
    } catch (reason) {
      setError(reason instanceof ApiError ? reason : null);
      toast.error(reason);
    }
  };
  const wrong = (field: string) => (error?.error.field === field ? error.message : undefined);
  return (
    <section className="card" aria-label={t("Password")}>
      <div className="card-head">
        <h2>{t("Password")}</h2>
      </div>
      <form className="card-body stack" onSubmit={submit}>
        {me && !me.has_password && (
          <p className="muted">{t("You came by a link. Set a password to log in from elsewhere too.")}</p>
        )}
        {me?.has_password && (
          <Field label={t("Current password")} error={wrong("current")}>
            <Input
              type="password"
              autoComplete="current-password"
              value={current}
              onChange={(event) => setCurrent(event.target.value)}
            />
          </Field>
        )}
        <Field label={t("New password")} error={wrong("new")}>
          <Input
            type="password"
            autoComplete="new-password"
            value={fresh}
            onChange={(event) => setFresh(event.target.value)}
          />
        </Field>
        <div>
          <Button type="submit" disabled={fresh === ""}>
            {me?.has_password ? t("Change password") : t("Set password")}
          </Button>
        </div>
      </form>
    </section>
  );
}
