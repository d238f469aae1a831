/** Who is in the workspace, with which role, who may run code; invitations. */
import { useState } from "react";
import { t } from "../i18n";
import { api } from "../lib/api";
import { formatDate } from "../lib/format";
import { useLoad } from "../lib/live";
import type { Items, PageProps, Role } from "../lib/types";
import {
  Button,
  Checkbox,
  Dialog,
  ErrorState,
  Field,
  FormDialog,
  IconButton,
  Input,
  LoadingState,
  Select,
  useToast,
} from "../ui";
import { CopyField } from "./shared/CopyField";

interface Member {
  user: string;
  name: string;
  email: string;
  role: Role;
  can_run_code: boolean;
}

interface Invitation {
  id: string;
  role: Role;
  email: string;
  expires: string;
  url?: string;
}

function roleOptions() {
  return [
    { value: "owner", label: t("Owner") },
    { value: "editor", label: t("Editor") },
    { value: "viewer", label: t("Viewer") },
  ];
}

export default function Members({ workspace, user }: PageProps) {
  const path = `/workspaces/${workspace.id}`;
  const owner = workspace.role === "owner";
  const members = useLoad<Items<Member>>(`${path}/members`);
  const invitations = useLoad<Items<Invitation>>(owner ? `${path}/invitations` : null);
  const [inviting, setInviting] = useState(false);
  const [removing, setRemoving] = useState<Member | null>(null);
  const toast = useToast();
  const change = async (member: Member, body: Partial<Pick<Member, "role" | "can_run_code">>) => {
    try {
      await api.patch(`${path}/members/${member.user}`, body);
    } catch (reason) {
      toast.error(reason);
    }
    members.reload();
  };
  if (members.error && !members.data) {
    return <ErrorState error={members.error} retry={members.reload} />;
  }
  if (!members.data) {
    return <LoadingState />;
  }
  return (
    <div className="stack">
      <div className="page-head" style={{ marginBottom: 0 }}>
        <h1>{t("Members")}</h1>
        <span className="push">
          {owner && (
            <Button variant="primary" icon="plus" onClick={() => setInviting(true)}>
              {t("Invite")}
            </Button>
          )}
        </span>
      </div>
      <p className="muted">
        {t("Viewers see everything. Editors also build and run pipelines. Owners also manage members.")}
      </p>
      <section className="card table-scroll" aria-label={t("Members")}>
        <table className="table">
          <thead>
            <tr>
              <th>{t("Name")}</th>
              <th>{t("E-mail")}</th>
              <th>{t("Role")}</th>
              <th>{t("May run code")}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {members.data.items.map((member) => (
              <MemberRow
                key={member.user}
                member={member}
                owner={owner}
                self={member.user === user.id}
                onChange={(body) => void change(member, body)}
                onRemove={() => setRemoving(member)}
              />
            ))}
          </tbody>
        </table>
      </section>
      {owner && <Invitations list={invitations.data?.items ?? []} onRemoved={invitations.reload} />}
      {inviting && (
        <InviteDialog
          path={path}
          onClose={() => {
            setInviting(false);
            invitations.reload();
          }}
        />
      )}
      {removing && (
        <FormDialog
          title={t("Remove {name}?", { name: removing.name || removing.email })}
          action={t("Remove member")}
          danger
          onClose={() => setRemoving(null)}
          onSubmit={async () => {
            await api.del(`${path}/members/${removing.user}`);
            setRemoving(null);
            members.reload();
          }}
        >
          <p>{t("What they made stays in the workspace.")}</p>
        </FormDialog>
      )}
    </div>
  );
}

interface MemberRowProps {
  member: Member;
  owner: boolean;
  self: boolean;
  onChange: (body: Partial<Pick<Member, "role" | "can_run_code">>) => void;
  onRemove: () => void;
}

function MemberRow({ member, owner, self, onChange, onRemove }: MemberRowProps) {
  return (
    <tr>
      <td>
        {member.name} {self && <span className="muted">{t("(you)")}</span>}
      </td>
      <td className="muted">{member.email}</td>
      <td style={{ width: 160 }}>
        {owner ? (
          <Select
            aria-label={t("Role of {name}", { name: member.name })}
            value={member.role}
            options={roleOptions()}
            onChange={(event) => onChange({ role: event.target.value as Role })}
          />
        ) : (
          roleOptions().find((role) => role.value === member.role)?.label
        )}
      </td>
      <td>
        <Checkbox
          label={<span className="visually-hidden">{t("{name} may run code", { name: member.name })}</span>}
          checked={member.can_run_code}
          disabled={!owner || member.role === "viewer"}
          title={t("Blocks with Python code run in the sandbox of the run")}
          onChange={(event) => onChange({ can_run_code: event.target.checked })}
        />
      </td>
      <td style={{ textAlign: "right" }}>
        {owner && !self && (
          <IconButton icon="trash" small label={t("Remove {name}?", { name: member.name })} onClick={onRemove} />
        )}
      </td>
    </tr>
  );
}

function Invitations({ list, onRemoved }: { list: Invitation[]; onRemoved: () => void }) {
  const toast = useToast();
  if (list.length === 0) {
    return null;
  }
  const withdraw = async (invitation: Invitation) => {
    try {
      await api.del(`/invitations/${invitation.id}`);
    } catch (reason) {
      toast.error(reason);
    }
    onRemoved();
  };
  return (
    <section className="card" aria-label={t("Open invitations")}>
      <div className="card-head">
        <h2>{t("Open invitations")}</h2>
      </div>
      <div className="table-scroll">
        <table className="table">
          <thead>
            <tr>
              <th>{t("E-mail")}</th>
              <th>{t("Role")}</th>
              <th>{t("Valid until")}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {list.map((invitation) => (
              <tr key={invitation.id}>
                <td>{invitation.email || <span className="muted">{t("anyone with the link")}</span>}</td>
                <td>{roleOptions().find((role) => role.value === invitation.role)?.label}</td>
                <td className="muted">{formatDate(invitation.expires)}</td>
                <td style={{ textAlign: "right" }}>
                  <Button small onClick={() => void withdraw(invitation)}>
                    {t("Withdraw")}
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function InviteDialog({ path, onClose }: { path: string; onClose: () => void }) {
  const [role, setRole] = useState<Role>("editor");
  const [email, setEmail] = useState("");
  const [made, setMade] = useState<Invitation | null>(null);
  if (made?.url) {
    return (
      <Dialog title={t("Invitation link")} onClose={onClose}>
        <div className="stack">
          <p>{t("Send this link. It works once and is shown only now.")}</p>
          <CopyField label={t("Invitation link")} value={new URL(made.url, window.location.href).href} />
          <p className="muted small">{t("Valid until {date}", { date: formatDate(made.expires) })}</p>
        </div>
      </Dialog>
    );
  }
  return (
    <FormDialog
      title={t("Invite")}
      action={t("Create link")}
      onClose={onClose}
      onSubmit={async () => setMade(await api.post<Invitation>(`${path}/invitations`, { role, email: email.trim() }))}
    >
      <Field label={t("Role")}>
        <Select value={role} options={roleOptions()} onChange={(event) => setRole(event.target.value as Role)} />
      </Field>
      <Field label={t("E-mail")} help={t("Optional. Then only this person can use the link.")}>
        <Input type="email" value={email} onChange={(event) => setEmail(event.target.value)} />
      </Field>
    </FormDialog>
  );
}
