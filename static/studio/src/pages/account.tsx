/** A person's own settings: name, language, theme, and API keys, each shown once. */
import { type FormEvent, useState } from "react";
import { t } from "../i18n";
import { api } from "../lib/api";
import { formatAge } from "../lib/format";
import { useLoad } from "../lib/live";
import type { Items, PageProps, Theme } from "../lib/types";
import {
  Button,
  Dialog,
  EmptyState,
  ErrorState,
  Field,
  FormDialog,
  IconButton,
  Input,
  LoadingState,
  Segmented,
  Select,
  useToast,
} from "../ui";
import { Password } from "./account/Password";
import { CopyField } from "./shared/CopyField";

export default function Account({ user }: PageProps) {
  return (
    <div className="stack" style={{ maxWidth: 760, margin: "0 auto" }}>
      <h1>{t("Account")}</h1>
      <Profile user={user} />
      <Password />
      <ApiKeys />
    </div>
  );
}

function Profile({ user }: { user: PageProps["user"] }) {
  const toast = useToast();
  const [name, setName] = useState(user.name);
  const [theme, setTheme] = useState<Theme>(user.theme);
  const save = async (body: Record<string, string>, then: () => void) => {
    try {
      await api.patch("/me", body);
      then();
    } catch (reason) {
      toast.error(reason);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void save({ name: name.trim() }, () => toast.show(t("Saved"), "ok"));
  };
  return (
    <section className="card card-body stack" aria-label={t("Profile")}>
      <form className="row" style={{ alignItems: "end" }} onSubmit={submit}>
        <div style={{ flex: 1 }}>
          <Field label={t("Name")}>
            <Input value={name} maxLength={80} onChange={(event) => setName(event.target.value)} />
          </Field>
        </div>
        <Button type="submit" disabled={name.trim() === "" || name.trim() === user.name}>
          {t("Save")}
        </Button>
      </form>
      {user.email && (
        <Field label={t("E-mail")}>
          <Input readOnly value={user.email} />
        </Field>
      )}
      <div style={{ maxWidth: 260 }}>
        <Field label={t("Language")}>
          <Select
            value={user.language.startsWith("zh") ? "zh-Hans" : "en"}
            options={[
              { value: "en", label: "English" },
              { value: "zh-Hans", label: "简体中文" },
            ]}
            onChange={(event) => void save({ language: event.target.value }, () => window.location.reload())}
          />
        </Field>
      </div>
      <div className="field">
        <span className="field-label">{t("Theme")}</span>
        <div>
          <Segmented<Theme>
            label={t("Theme")}
            value={theme}
            options={[
              { value: "system", label: t("Like the system") },
              { value: "light", label: t("Light") },
              { value: "dark", label: t("Dark") },
            ]}
            onChange={(value) => {
              setTheme(value);
              document.documentElement.dataset.theme = value;
              void save({ theme: value }, () => undefined);
            }}
          />
        </div>
      </div>
    </section>
  );
}

interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  created: string;
  last_used: string | null;
  key?: string;
}

function ApiKeys() {
  const { data, error, reload } = useLoad<Items<ApiKey>>("/keys");
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<ApiKey | null>(null);
  const [deleting, setDeleting] = useState<ApiKey | null>(null);
  return (
    <section className="card" aria-label={t("API keys")}>
      <div className="card-head">
        <h2>{t("API keys")}</h2>
        <span className="push">
          <Button small icon="plus" onClick={() => setMaking(true)}>
            {t("New key")}
          </Button>
        </span>
      </div>
      {error && !data ? (
        <ErrorState compact error={error} retry={reload} />
      ) : !data ? (
        <LoadingState compact />
      ) : data.items.length === 0 ? (
        <EmptyState compact icon="key" title={t("No API keys yet")}>
          {t("A key lets the command line and your programs use the studio in your name.")}
        </EmptyState>
      ) : (
        <KeyTable keys={data.items} onDelete={setDeleting} />
      )}
      {making && (
        <NewKeyDialog
          onClose={() => setMaking(false)}
          onMade={(key) => {
            setMaking(false);
            setMade(key);
            reload();
          }}
        />
      )}
      {made?.key && (
        <Dialog title={t("Your new API key")} onClose={() => setMade(null)}>
          <div className="stack">
            <p>{t("Copy the key now. It is not shown again.")}</p>
            <CopyField label={t("API key")} value={made.key} />
          </div>
        </Dialog>
      )}
      {deleting && (
        <FormDialog
          title={t("Delete {name}?", { name: deleting.name })}
          action={t("Delete key")}
          danger
          onClose={() => setDeleting(null)}
          onSubmit={async () => {
            await api.del(`/keys/${deleting.id}`);
            setDeleting(null);
            reload();
          }}
        >
          <p>{t("Programs that use it are refused from now on.")}</p>
        </FormDialog>
      )}
    </section>
  );
}

function KeyTable({ keys, onDelete }: { keys: ApiKey[]; onDelete: (key: ApiKey) => void }) {
  return (
    <div className="table-scroll">
      <table className="table">
        <thead>
          <tr>
            <th>{t("Name")}</th>
            <th>{t("Begins with")}</th>
            <th>{t("Created")}</th>
            <th>{t("Last used")}</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id}>
              <td>{key.name}</td>
              <td>
                <code>{key.prefix}…</code>
              </td>
              <td className="muted">{formatAge(key.created)}</td>
              <td className="muted">{key.last_used ? formatAge(key.last_used) : t("never")}</td>
              <td style={{ textAlign: "right" }}>
                <IconButton
                  icon="trash"
                  small
                  label={t("Delete {name}?", { name: key.name })}
                  onClick={() => onDelete(key)}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function NewKeyDialog({ onClose, onMade }: { onClose: () => void; onMade: (key: ApiKey) => void }) {
  const [name, setName] = useState("");
  return (
    <FormDialog
      title={t("New API key")}
      action={t("Create key")}
      disabled={name.trim() === ""}
      onClose={onClose}
      onSubmit={async () => onMade(await api.post<ApiKey>("/keys", { name: name.trim() }))}
    >
      <Field label={t("Name")} help={t("For instance the machine or the program that will use it")}>
        <Input data-autofocus value={name} maxLength={80} onChange={(event) => setName(event.target.value)} />
      </Field>
    </FormDialog>
  );
}
